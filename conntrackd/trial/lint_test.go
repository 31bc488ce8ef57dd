package trial

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
)

func TestLint(t *testing.T) {
	conntracktest.RequireDaemon(t)
	good := conntracktest.Config(conntracktest.Settings(), "/var/lib/nowhere")
	tests := []struct {
		name     string
		old, new string
		undoes   int
		want     []string
	}{
		{
			name: "interface of another host", new: good,
			want: []string{"sync0 is an invalid interface"},
		}, {
			name: "good", new: conntracktest.Swap(good, "sync0", "lo"),
		}, {
			name: "unknown word", new: conntracktest.Swap(good, "sync0", "lo", "Checksum on", "Banana on"),
			want: []string{`line 12: syntax error at "Banana"`},
		}, {
			name: "missing brace", new: strings.TrimSuffix(conntracktest.Swap(good, "sync0", "lo"), "}\n"),
			want: []string{"line 25: syntax error at the end of the file"},
		}, {
			name: "prefix length in the file", new: conntracktest.Swap(good, "sync0", "lo", "10.77.0.1\n", "10.77.0.1/24\n"),
			want: []string{"10.77.0.1/24 is not a valid IPv4 address"},
		}, {
			name: "outdated option that is new", new: conntracktest.Swap(good, "sync0", "lo", "HashSize", "Nice -5\nHashSize"), old: good,
			want: []string{niceWarning},
		}, {
			name: "outdated option that was there", new: conntracktest.Swap(good, "sync0", "lo", "HashSize", "Nice -5\nHashSize"),
			old: conntracktest.Swap(good, "HashSize", "Nice -5\nHashSize"),
		}, {
			name: "outdated option of a restored file", new: conntracktest.Swap(good, "sync0", "lo", "HashSize", "Nice -5\nHashSize"), old: good, undoes: 3,
		}, {
			name: "other warning of a restored file", new: good, old: good, undoes: 3,
			want: []string{"sync0 is an invalid interface"},
		}, {
			name: "semantic error", new: conntracktest.Swap(good, "sync0", "lo", "HashSize", "PollSecs 0\nHashSize"),
			want: []string{"`PollSecs' clause must be > 0"},
		}, {
			name: "byte that ends the reading", new: conntracktest.Swap(good, "sync0", "lo", "General {", "\u00a0General {"),
			want: []string{"line 15: byte 0xc2 ends conntrackd's reading: it would ignore the rest of the file without a word"},
		}, {
			name: "NUL, which ends the reading, too", new: conntracktest.Swap(good, "sync0", "lo", "General {", "\x00General {"),
			want: []string{"line 15: byte 0x0 ends conntrackd's reading: it would ignore the rest of the file without a word"},
		}, {
			name: "the same byte behind what is refused", new: conntracktest.Swap(good, "sync0", "lo", "Checksum on", "Checksum \"") + "\u00a0\n",
			want: []string{`line 12: syntax error at "\""`},
		}, {
			name: "relative control socket", new: conntracktest.Swap(good, "sync0", "lo", "/var/lib/nowhere/ctl", "ctl"),
			want: []string{`line 23: syntax error at "ctl"`},
		}, {
			name: "the same byte in a comment", new: conntracktest.Swap(good, "sync0", "lo", "General {", "# \u00a0\nGeneral {"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &conntrackd.Candidate{Old: []byte(tt.old), New: []byte(tt.new), Undoes: tt.undoes}
			got, err := Lint(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

const niceWarning = "deprecated nice configuration, ignoring. The nice value can be set externally with nice(1) and renice(1)."

// The client connects to the socket of the file that it lints; a daemon that
// lives there must not notice.
func TestLintLeavesTheLiveSocketAlone(t *testing.T) {
	conntracktest.RequireDaemon(t)
	dir := t.TempDir()
	asked := conntracktest.ServeControl(t, filepath.Join(dir, "ctl"), func(control.Request) []byte { return []byte("statistics") })
	c := &conntrackd.Candidate{New: []byte(conntracktest.Swap(conntracktest.Config(conntracktest.Settings(), dir), "sync0", "lo"))}
	problems, err := Lint(t.Context(), c)
	if err != nil || len(problems) > 0 {
		t.Fatalf("Lint = %q, %v", problems, err)
	}
	if n := asked(); n != 0 {
		t.Errorf("the lint asked the live daemon %d times", n)
	}
}

func TestLintWithoutDaemon(t *testing.T) {
	c := &conntrackd.Candidate{New: []byte("Sync {}\n"), Binary: filepath.Join(t.TempDir(), "conntrackd")}
	if _, err := Lint(t.Context(), c); !errors.Is(err, service.ErrNotInstalled) || !errors.Is(err, conntrackd.ErrCannotLook) {
		t.Errorf("Lint without a daemon: %v", err)
	}
	if err := DryStart(t.Context(), c); !errors.Is(err, conntrackd.ErrCannotLook) {
		t.Errorf("DryStart without a daemon: %v", err)
	}
	if _, err := service.Version(t.Context(), c.Binary); !errors.Is(err, conntrackd.ErrCannotLook) {
		t.Errorf("Version without a daemon: %v", err)
	}
}

func TestLintOfAProgramThatIsNoDaemon(t *testing.T) {
	c := &conntrackd.Candidate{New: []byte("Sync {}\n"), Binary: "/bin/true"}
	problems, err := Lint(t.Context(), c)
	if err != nil || len(problems) != 1 {
		t.Errorf("Lint with /bin/true = %q, %v; want one problem", problems, err)
	}
}

func TestVersion(t *testing.T) {
	conntracktest.RequireDaemon(t)
	got, err := service.Version(t.Context(), "")
	if err != nil || !strings.HasPrefix(got, "1.4.") {
		t.Errorf("Version = %q, %v", got, err)
	}
}

func TestDryStart(t *testing.T) {
	conntracktest.RequireDaemon(t)
	v6 := conntracktest.Settings()
	v6.Current, v6.Peer = netip.MustParsePrefix("fd77::1/64"), netip.MustParsePrefix("fd77::2/64")
	s := conntracktest.Settings()
	tests := []struct {
		name     string
		settings conntrackd.Settings
		edit     []string
		want     string // part of the error; blank for a pass
	}{
		{name: "good", settings: s},
		{name: "IPv6", settings: v6},
		{name: "second link", settings: s, edit: []string{"General {", "Sync { UDP { IPv4_address 10.78.0.1 IPv4_Destination_Address 10.78.0.2 Port 3781 Interface sync1 } }\nGeneral {"}},
		{name: "other address in the file", settings: s, edit: []string{"10.77.0.1\n", "10.77.0.9\n"}, want: "10.77.0.9:3780, not on 10.77.0.1:3780"},
		{name: "prefix length in the file", settings: s, edit: []string{"10.77.0.1\n", "10.77.0.1/24\n"}, want: "0.0.0.0:3780, not on 10.77.0.1:3780"},
		{name: "port that wraps", settings: s, edit: []string{"Port 3780", "Port 70000"}, want: "10.77.0.1:4464, not on 10.77.0.1:3780"},
		{name: "no interface", settings: s, edit: []string{"    Interface sync0\n", ""}, want: "can't open channel socket"},
		{name: "other interface in the file", settings: s, edit: []string{"Interface sync0", "Interface sync1"}, want: "No such device"},
		{name: "huge HashSize", settings: s, edit: []string{"HashSize 4096", "HashSize 2147483647"}, want: "segmentation fault"},
		{name: "unknown word", settings: s, edit: []string{"Checksum", "Banana"}, want: "syntax error"},
		{name: "Stats instead of Sync", settings: s, edit: []string{"Sync {", "#Sync {"}, want: "syntax error"},
		{name: "log that cannot be written", settings: s, edit: []string{"LogFile ", "LogFile /nonexistent"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			c := &conntrackd.Candidate{Settings: tt.settings, New: []byte(conntracktest.Swap(conntracktest.Config(tt.settings, dir), tt.edit...))}
			err := DryStart(t.Context(), c)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("DryStart: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("DryStart: %v, want %q in it", err, tt.want)
			case errors.Is(err, conntrackd.ErrCannotLook):
				t.Errorf("DryStart could not run: %v", err)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("the dry start used the candidate's own paths: %v", left)
			}
		})
	}
}

// The lint of the candidate for every sample finds nothing of our doing.
func TestCandidatesPassTheLint(t *testing.T) {
	files, err := filepath.Glob("../testdata/samples/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := conntrackd.NewCandidate(path, conntracktest.Settings(), conntrackd.Host{UnitNotify: true})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := Lint(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if !strings.Contains(f, "invalid interface") && !strings.Contains(f, "/etc/protocols") {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}
