package conntrackd

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCandidate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	s := pairSettings()
	c, err := NewCandidate(path, s, pairHost())
	if err != nil || c.Old != nil || !c.Changed() || c.Replaces != nil {
		t.Fatalf("no file: %+v, %v", c, err)
	}
	if d := c.Diff(); !strings.HasPrefix(d, "--- /dev/null\n+++ "+path+"\n") || !strings.Contains(d, "\n+\t\tIPv4_address 10.9.0.101 # /24\n") {
		t.Errorf("diff of a new file:\n%s", d)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the candidate was written: %v", err)
	}
	if err := os.WriteFile(path, c.New, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = NewCandidate(path, s, pairHost()); err != nil || c.Changed() || c.Diff() != "" || c.Replaces != nil || c.Notes != nil {
		t.Errorf("the same again: changed %v, %q, %q, %v\n%s", c.Changed(), c.Replaces, c.Notes, err, c.Diff())
	}
	s.Port = 3781
	if c, err = NewCandidate(path, s, pairHost()); err != nil || strings.Count(c.Diff(), "\n+") != 2 || !strings.Contains(c.Diff(), "\n+\t\tPort 3781\n") {
		t.Errorf("another port: %v\n%s", err, c.Diff())
	}
	if err := os.Link(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	want := []string{path + " has 2 names (hard links): this one gets the new content, any other keeps the old."}
	if c, err = NewCandidate(path, s, pairHost()); err != nil || !slices.Equal(c.Notes, want) {
		t.Errorf("a file with two names: %q, %v", c.Notes, err)
	}
	s.Port = 3780
	if c, err = NewCandidate(path, s, pairHost()); err != nil || c.Changed() || c.Notes != nil {
		t.Errorf("one that a save does not write: %q, %v", c.Notes, err)
	}
}

// Disabling keeps the file; what is complete is kept for later.
func TestCandidateOfDisabledSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	if err := os.WriteFile(path, samples(t)["debian"], 0o600); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Settings{
		"blank": Defaults(), "half": {Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.1/24")},
	} {
		c, err := NewCandidate(path, s, pairHost())
		if err != nil || c.Changed() || len(c.Notes) != 1 {
			t.Errorf("%s: %v, changed %v, notes %q", name, err, c.Changed(), c.Notes)
		}
	}
	s := pairSettings()
	s.Enabled = false
	c, err := NewCandidate(path, s, pairHost())
	if err != nil || !c.Changed() {
		t.Fatalf("complete: %v", err)
	}
	s.Enabled = true
	requireInForce(t, c.New, s, pairHost())
}

func TestCandidateOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, MaxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, huge, filepath.Join(huge, "below")} {
		if c, err := NewCandidate(path, pairSettings(), pairHost()); err == nil {
			t.Errorf("%s: %v", path, c)
		}
	}
}
