package trial

import (
	"os"
	"path/filepath"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
)

// While the daemon has the candidate, in the lint and in the dry start, no
// directory holds anything that a kill would leave behind.
func TestTrialsLeaveNothingToAKill(t *testing.T) {
	conntracktest.RequireDaemon(t)
	dir, record := t.TempDir(), filepath.Join(t.TempDir(), "record")
	t.Setenv("TMPDIR", dir)
	binary := filepath.Join(t.TempDir(), "conntrackd")
	script := "#!/bin/sh\necho run >>" + record + "\nls -A " + dir + " >>" + record + "\nexec conntrackd \"$@\"\n"
	if err := os.WriteFile(binary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	settings := conntracktest.Settings()
	c := &conntrackd.Candidate{Settings: settings, New: []byte(conntracktest.Config(settings, "/run/connsync-test")), Binary: binary}
	if err := DryStart(t.Context(), c); err != nil {
		t.Error(err)
	}
	// Without its interface the daemon has something to say, and has read it.
	if problems, err := Lint(t.Context(), c); err != nil || len(problems) != 1 {
		t.Errorf("%q, %v", problems, err)
	}
	if got, err := os.ReadFile(record); err != nil || string(got) != "run\nrun\n" {
		t.Errorf("the runs and what was in the temporary directory: %q, %v", got, err)
	}
}

// A kernel without nameless file systems.
func TestTemporaryDirectoryGoes(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir, done, err := temporaryDirectory()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inherited(int(dir.Fd())), "file"), nil, 0o600); err != nil {
		t.Error(err)
	}
	done()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
