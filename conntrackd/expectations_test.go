package conntrackd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSyncsExpectations(t *testing.T) {
	for _, tt := range []struct {
		options string
		helper  string
		want    bool
	}{
		{"", "ftp", false},
		{"Options { TCPWindowTracking on }", "ftp", false},
		{"Options { ExpectationSync on }", "ftp", true},
		{"Options { ExpectationSync off }", "ftp", false},
		{"Options { ExpectationSync { } }", "ftp", true}, // the daemon has no list then
		{"Options { ExpectationSync { sip } }", "ftp", false},
		{"Options { ExpectationSync { sip ftp } }", "ftp", true},
		{"Options { ExpectationSync { ftp } }", "ftp-2121", true},
		{"Options { ExpectationSync { ftp-2121 } }", "ftp", false},
		{"Options { ExpectationSync { sip 7 ftp } }", "ftp", true}, // behind an error
		{"Options { ExpectationSync { q.931 } }", "Q.931", true},
		{"Options { ExpectationSync { ftp } ExpectationSync off }", "ftp", false},
		{"Options { ExpectationSync off } Options { ExpectationSync { ftp } }", "ftp", true},
		{"Options { ExpectationSync { sip } ExpectationSync on }", "ftp", false},
	} {
		f, _ := Parse("", []byte("Sync { "+tt.options+" }"))
		if got := f.SyncsExpectations(tt.helper); got != tt.want {
			t.Errorf("%s, %s: %v", tt.options, tt.helper, got)
		}
	}
}

// What the file lacks is added where it belongs, and nothing else changes; what
// the operator has switched off stays off, and no peer is sent what may end it.
func TestExpectationsAreAdded(t *testing.T) {
	const block = `		# Connections that a helper has announced, such as those for data of FTP, are
		# synchronised, too. On both nodes or on neither: a conntrackd without this
		# may end when the peer announces one.
		ExpectationSync on
`
	for _, tt := range []struct{ name, options, external, direct string }{
		{"no options", "", "\n\tOptions {\n" + block + "\t}\n", ""},
		{"other options", "\tOptions {\n\t\tTCPWindowTracking on # why\n\t}\n", "\tOptions {\n\t\tTCPWindowTracking on # why\n" + block + "\t}\n",
			"\tOptions {\n\t\tTCPWindowTracking on # why\n\t}\n"},
		{"a list on a line", "  Options { ExpectationSync { sip } }\n", "  Options { ExpectationSync { sip Q.931 ftp } }\n", "  Options { ExpectationSync { sip Q.931 ftp } }\n"},
		{"a part of the list", "\tOptions {\n\t\tExpectationSync {\n\t\t\tFTP # ours\n\t\t}\n\t}\n", "\tOptions {\n\t\tExpectationSync {\n\t\t\tFTP # ours\n\t\t\tQ.931\n\t\t}\n\t}\n",
			"\tOptions {\n\t\tExpectationSync {\n\t\t\tFTP # ours\n\t\t\tQ.931\n\t\t}\n\t}\n"},
		{"a list before on", "\tOptions { ExpectationSync { sip } ExpectationSync on }\n", "\tOptions { ExpectationSync { sip Q.931 ftp } ExpectationSync on }\n",
			"\tOptions { ExpectationSync { sip Q.931 ftp } ExpectationSync on }\n"},
		{"on", "\tOptions { ExpectationSync on }\n", "\tOptions { ExpectationSync on }\n", "\tOptions { ExpectationSync on }\n"},
		{"off", "\tOptions { ExpectationSync off }\n", "\tOptions { ExpectationSync off }\n", "\tOptions { ExpectationSync off }\n"},
	} {
		for external, want := range map[bool]string{true: tt.external, false: tt.direct} {
			s := pairSettings()
			s.ExternalCache = external
			with := func(options string) string {
				before, after, _ := strings.Cut(string(newFile(s, pairHost())), "\n\tOptions {")
				_, after, _ = strings.Cut(after, "\n\t}\n")
				return before + options + after
			}
			f, _ := Parse("", []byte(with(tt.options)))
			_, notes, err := f.Apply(s, helperHost())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(with(want), string(f.Bytes())); diff != "" {
				t.Errorf("%s, external cache %v (-want +got):\n%s", tt.name, external, diff)
			}
			if said := len(notes) == 1 && strings.Contains(notes[0], "xpectations of"); said != (tt.name != "on") {
				t.Errorf("%s, external cache %v: notes %q", tt.name, external, notes)
			}
			if accepted, complaints := daemonSays(t, elsewhere(f.Bytes())); !accepted || complaints != nil {
				t.Errorf("%s: the daemon: %v, %q", tt.name, accepted, complaints)
			}
		}
	}
}

// A name that the daemon could not read is not written.
func TestHelperThatCannotBeNamed(t *testing.T) {
	for name, want := range map[string]bool{"ftp": true, "ftp-2121": true, "Q.931": true, "netbios-ns": true, "2ftp": false, "a b": false, "Sync": false, "fe0": false, "": false, "x}": false} {
		if got := nameableHelper(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
