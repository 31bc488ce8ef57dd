package keepalived

import (
	"slices"
	"testing"
)

// The command of a script, with its backslashes as 2.2.7 and 2.3.3 read them.
func TestEscapesOfScripts(t *testing.T) {
	for _, tt := range []struct {
		line        string
		twice, once []string
	}{
		{`notify "/bin/a b c"`, []string{"/bin/a", "b", "c"}, []string{"/bin/a", "b", "c"}},
		{`notify "/bin/a b\x20c"`, []string{"/bin/a", "b", "c"}, []string{"/bin/a", "b c"}},
		{`notify "/bin/a \"b c\""`, []string{"/bin/a", "b c"}, []string{"/bin/a", `"b`, `c"`}},
		{`notify "/bin/a 'b c'"`, []string{"/bin/a", "b c"}, []string{"/bin/a", "b c"}},
		{`notify "/bin/a \\x41"`, []string{"/bin/a", "A"}, []string{"/bin/a", `\x41`}},
	} {
		for once, want := range map[bool][]string{false: tt.twice, true: tt.once} {
			words := fields(tt.line, once)
			if len(words) != 2 {
				t.Fatalf("%s: %q", tt.line, words)
			}
			if got := split(words[1]); !slices.Equal(got, want) {
				t.Errorf("%s, once %t: %q, want %q", tt.line, once, got, want)
			}
		}
	}
}
