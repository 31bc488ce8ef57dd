package emulator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTrickleCutsNoKey(t *testing.T) {
	var got []string
	if err := trickle([]byte("1\x15\x1b[Z\x1bOA\x1b[[A\x1b[12;5R\t\x1b["), func(p []byte) error {
		got = append(got, string(p))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"1", "\x15", "\x1b[Z", "\x1bOA", "\x1b[[A", "\x1b[12;5R", "\t", "\x1b["}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
