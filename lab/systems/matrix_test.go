package main

import (
	"strings"
	"testing"
)

// The rows of today's stable Debians hold; "make test-systems" has the others.
func TestStableDebians(t *testing.T) {
	t.Chdir("../..") // where the package is built
	var matrix strings.Builder
	err := run(t.Context(), &matrix, "debian12,debian13", "bin/connsync", "", 2, false)
	t.Log("\n" + matrix.String())
	if err != nil {
		t.Error(err)
	}
	if held, want := strings.Count(matrix.String(), " ok "), 2*len(cells); held != want {
		t.Errorf("%d cells hold, want %d", held, want)
	}
}
