package shell

import (
	"os/exec"
	"testing"
)

// A shell reads each word as it is, and plain ones stay without quotes.
func TestLine(t *testing.T) {
	for word, want := range map[string]string{
		"/etc/conntrackd/conntrackd.conf": "/etc/conntrackd/conntrackd.conf", "10.0.0.1/24": "10.0.0.1/24", "2001:db8::1%eth1": "2001:db8::1%eth1",
		"": "''", "/a b/c d.conf": "'/a b/c d.conf'", "it's": `'it'\''s'`, "$(reboot)": "'$(reboot)'", "a\nb": "'a\nb'", "~root": "'~root'", "#": "'#'",
	} {
		line := Line("printf", "%s", word)
		if line != "printf %s "+want {
			t.Errorf("%q is written as %s", word, line)
		}
		if out, err := exec.Command("sh", "-c", line).Output(); err != nil || string(out) != word {
			t.Errorf("a shell reads %q as %q (%v)", word, out, err)
		}
	}
}
