package node

import (
	"os"
	"path/filepath"
	"testing"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/service"
)

// A session tells that somebody else has changed the file, with what it says now, until
// it is read again.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, settings := filepath.Join(dir, "conntrackd.conf"), conntracktest.Settings()
	write := func() {
		t.Helper()
		if err := os.WriteFile(path, []byte(conntracktest.Config(settings, dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	n := &Node{Options: Options{Config: path, RuntimeDir: dir, StateDir: dir}, Service: service.Unmanaged{}}
	filled, err := n.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := NewSession(t.Context(), n, filled)
	if now, err := s.Elsewhere(t.Context()); now != nil || err != nil {
		t.Errorf("at first %v, %v", now, err)
	}
	settings.Port++
	write()
	if now, err := s.Elsewhere(t.Context()); err != nil || now == nil || now.Port != settings.Port {
		t.Errorf("changed: %v, %v", now, err)
	}
	if _, err := s.Reread(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Elsewhere(t.Context()); now != nil || err != nil {
		t.Errorf("read again: %v, %v", now, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Elsewhere(t.Context()); err != nil || now == nil || now.Interface != "" {
		t.Errorf("removed: %v, %v", now, err)
	}
}
