package lab

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteBetween(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	for _, tt := range []struct {
		before, want string
		ok           bool
	}{
		{"a\n<from>\nold\n<to>\nb\n", "a\n<from>\nnew\n<to>\nb\n", true},
		{"<from>\n<to>\n", "<from>\nnew\n<to>\n", true},
		{"a\n<from>\nb\n", "a\n<from>\nb\n", false},
		{"<to>\n<from>\n", "<to>\n<from>\n", false},
	} {
		if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
			t.Fatal(err)
		}
		err := WriteBetween(path, "<from>\n", "<to>\n", []byte("new\n"))
		got, _ := os.ReadFile(path)
		if string(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q became %q: %v", tt.before, got, err)
		}
	}
}
