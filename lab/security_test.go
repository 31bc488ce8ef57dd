package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each line of SECURITY.md that claims something names tests that exist.
func TestSecurityNamesItsTests(t *testing.T) {
	known := knownNames(t)
	text := readDocument(t, "SECURITY.md")
	exists := func(name string) bool {
		if strings.HasSuffix(name, ".txtar") {
			_, err := os.Stat(filepath.Join("../cmd/connsync/testdata/script", name))
			return err == nil
		}
		return known.tests[name]
	}
	rows, column := 0, -1
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		last := cells[len(cells)-1]
		switch {
		case !strings.HasPrefix(line, "| "):
			column = -1
		case column < 0:
			column = 0
			if last == "test" {
				column = len(cells)
			}
		case column > 0 && !strings.HasPrefix(line, "| ---"):
			rows++
			if len(cells) != column {
				t.Errorf("%d cells, want %d: %s", len(cells), column, line)
			}
			for _, name := range strings.Split(last, ", ") {
				if !exists(name) {
					t.Errorf("there is no test %s: %s", name, line)
				}
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d lines claim something; is this where they are?", rows)
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*|[\w-]+\.txtar`).FindAllString(text, -1) {
		if !exists(name) {
			t.Errorf("there is no test %s", name)
		}
	}
}
