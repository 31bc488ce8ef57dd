package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/hostfile/hostfiletest"
)

// preparedHost is a host as connsync 1.0.0 left it, record and all, under a
// directory of its own.
func preparedHost(t *testing.T, name string) (p *Preparer, reloads *int) {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata", "records", name))); err != nil {
		t.Fatal(err)
	}
	reloads = new(int)
	p = NewPreparer(nil, "/var/lib/connsync", Refresh{})
	p.root = root
	p.ownHost = func() (bool, error) { return true, nil }
	p.reload = func(context.Context) error { *reloads++; return nil }
	p.run = func(_ context.Context, name string, args ...string) error {
		want := "dpkg-divert --local --rename --divert " + logrotateKept + " --remove " + logrotateRule
		if got := strings.Join(append([]string{name}, args...), " "); got != want {
			return fmt.Errorf("%q was run, want %q", got, want)
		}
		if _, err := os.Lstat(p.path(logrotateRule)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is in the way (%v)", logrotateRule, err)
		}
		return errors.Join(os.Rename(p.path(logrotateKept), p.path(logrotateRule)), os.WriteFile(p.path("/var/lib/dpkg/diversions"), nil, 0o644))
	}
	return p, reloads
}

// What connsync 1.0.0 has recorded is undone.
func TestUndoRecordsOfFirstVersion(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"debian":  {logrotateRule: debianRule, "/var/lib/dpkg/diversions": "", eventsSetting: "2\n"},
		"no-dpkg": {logrotateRule: debianRule, eventsSetting: "2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p, reloads := preparedHost(t, name)
			before := hostfiletest.Files(t, p.root)
			would, err := p.Undo(t.Context(), t.TempDir(), true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, hostfiletest.Files(t, p.root)); diff != "" || *reloads > 0 {
				t.Errorf("a dry run changed the host, %d reloads (-before +after):\n%s", *reloads, diff)
			}
			undone, err := p.Undo(t.Context(), t.TempDir(), false)
			if err != nil || len(undone) == 0 || len(undone) != len(would) {
				t.Fatalf("%d things were undone, %d would be: %v", len(undone), len(would), err)
			}
			for _, u := range undone {
				if u.Left != "" || u.Err != nil {
					t.Errorf("%s: left %q: %v", u.Path, u.Left, u.Err)
				}
			}
			if diff := cmp.Diff(want, hostfiletest.Files(t, p.root)); diff != "" {
				t.Errorf("the host (-want +got):\n%s", diff)
			}
			if units := map[string]int{"debian": 1}[name]; *reloads != units {
				t.Errorf("systemd read its units %d times, want %d", *reloads, units)
			}
			if _, err := os.Lstat(p.path("/etc/systemd/system/conntrackd.service.d")); err == nil {
				t.Error("the directory made for the drop-in is still there")
			}
		})
	}
}

// Owner, mode and time come back with the content.
func TestUndoBringsBackTheFile(t *testing.T) {
	p, _ := preparedHost(t, "no-dpkg")
	if _, err := p.Undo(t.Context(), t.TempDir(), false); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(p.path(logrotateRule))
	if err != nil {
		t.Fatal(err)
	}
	when := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 0 || owner.Gid != 4 || info.Mode() != 0o640 || !info.ModTime().Equal(when) {
		t.Errorf("it is of %d:%d, %v, %v", owner.Uid, owner.Gid, info.Mode(), info.ModTime())
	}
}

// What somebody else has changed since stays, and stays in the record as
// connsync 1.0.0 wrote it, until it is as it was.
func TestUndoLeavesChangesOfOthers(t *testing.T) {
	const changed = "it was changed by somebody else"
	for name, want := range map[string]map[string]string{
		"debian": {
			"file " + logrotateRule: changed, "divert " + logrotateRule: "the file in its place is left alone",
			"sysctl " + eventsSetting: "it is 0 now, set by somebody else",
		},
		"no-dpkg": {"file " + logrotateRule: changed, "sysctl " + eventsSetting: "it is 0 now, set by somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := preparedHost(t, name)
			files := hostfiletest.Files(t, p.root)
			var recorded []map[string]any
			for _, e := range recordOf(t, p) {
				if _, kept := want[fmt.Sprintf("%v %v", e["kind"], e["path"])]; kept {
					recorded = append(recorded, e)
				}
			}
			theirs := files[logrotateRule] + "# mine\n"
			writeHost(t, p, map[string]string{logrotateRule: theirs, eventsSetting: "0\n"})
			if diff := cmp.Diff(want, leftBy(t, p)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			if got := hostfiletest.Files(t, p.root)[logrotateRule]; got != theirs {
				t.Errorf("the changed file is %q", got)
			}
			if diff := cmp.Diff(recorded, recordOf(t, p)); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
			writeHost(t, p, map[string]string{logrotateRule: files[logrotateRule], eventsSetting: "1\n"})
			if diff := cmp.Diff(map[string]string{}, leftBy(t, p)); diff != "" {
				t.Errorf("left although it is as it was (-want +got):\n%s", diff)
			}
		})
	}
}

func writeHost(t *testing.T, p *Preparer, files map[string]string) {
	t.Helper()
	for path, content := range files {
		if err := os.WriteFile(p.path(path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// recordOf are the entries of prepared.json as they stand there.
func recordOf(t *testing.T, p *Preparer) []map[string]any {
	t.Helper()
	content, err := os.ReadFile(p.path("/var/lib/connsync/prepared.json"))
	var record struct{ Entries []map[string]any }
	if err := errors.Join(err, json.Unmarshal(content, &record)); err != nil {
		t.Fatal(err)
	}
	return record.Entries
}

// leftBy is what Undo leaves alone, with why.
func leftBy(t *testing.T, p *Preparer) map[string]string {
	t.Helper()
	undone, err := p.Undo(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]string{}
	for _, u := range undone {
		if u.Err != nil {
			t.Error(u.Err)
		}
		if u.Left != "" {
			left[string(u.Kind)+" "+u.Path] = u.Left
		}
	}
	return left
}

// A record of what no preparation changes is damaged, and nothing is undone.
func TestUndoRefusesForeignPaths(t *testing.T) {
	for name, entry := range map[string]string{
		"file":      `"kind": "file", "path": "/etc/shadow", "before": {"file": {"content": "eA=="}}`,
		"climbing":  `"kind": "file", "path": "/etc/systemd/system/../../x.service.d/connsync.conf", "before": {}`,
		"sysctl":    `"kind": "sysctl", "path": "/proc/sys/kernel/core_pattern", "before": {"value": "x"}`,
		"divert":    `"kind": "divert", "path": "` + logrotateRule + `", "to": "/etc/shadow", "before": {}`,
		"directory": `"kind": "file", "path": "` + eventsModule + `", "before": {"directories": ["/var/empty"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := preparedHost(t, "no-dpkg")
			writeHost(t, p, map[string]string{"/var/lib/connsync/prepared.json": `{"entries": [{` + entry + `}]}`})
			before := hostfiletest.Files(t, p.root)
			if _, err := p.Undo(t.Context(), t.TempDir(), false); err == nil || !strings.Contains(err.Error(), "prepared.json: it is damaged (connsync does not change ") {
				t.Errorf("it says %v", err)
			}
			if diff := cmp.Diff(before, hostfiletest.Files(t, p.root)); diff != "" {
				t.Errorf("changed (-before +after):\n%s", diff)
			}
		})
	}
}
