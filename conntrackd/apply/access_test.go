package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
)

// close gives the file to root and a group alone, and returns what it has then.
func (s *saver) close() *hostfile.Access {
	s.t.Helper()
	err := errors.Join(os.Chmod(s.path, 0o640), os.Chown(s.path, -1, 4), unix.Setxattr(s.path, "user.note", []byte("by hand"), 0))
	if err != nil {
		s.t.Fatalf("this test needs root: %v", err)
	}
	access, err := hostfile.AccessOf(s.path)
	if err != nil || access.Mode != 0o640 || access.GID != 4 || string(access.Attributes["user.note"]) != "by hand" {
		s.t.Fatalf("%+v, %v", access, err)
	}
	return access
}

// restore is the candidate that rolls back a save.
func (s *saver) restore(number int) *conntrackd.Candidate {
	s.t.Helper()
	e, err := s.history().Entry(number)
	if err == nil {
		var c *conntrackd.Candidate
		if c, err = NewRestore(s.path, s.history(), e, conntrackd.Running{}); err == nil {
			return c
		}
	}
	s.t.Fatal(err)
	return nil
}

func (s *saver) has(want *hostfile.Access, when string) {
	s.t.Helper()
	got, err := hostfile.AccessOf(s.path)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		s.t.Errorf("%s it has (-want +got), %v:\n%s", when, err, diff)
	}
}

// A file that a rollback took away comes back with its mode, owner and attributes, whether
// that rollback is rolled back later or fails.
func TestRollBackGivesAccessBack(t *testing.T) {
	s := newSaver(t)
	s.save("first")
	want := s.close()
	if o := s.Apply(t.Context(), s.restore(1), nil); o.Err != nil {
		t.Fatal(o.Err)
	}
	s.has(nil, "after the rollback")
	if o := s.Apply(t.Context(), s.restore(2), nil); o.Err != nil {
		t.Fatal(o.Err)
	}
	s.has(want, "after the rollback of that")

	calls := 0
	s.replace = func(access *hostfile.Access, path string, read, content []byte) error {
		if err := hostfile.ReplaceWith(access, path, read, content); err != nil || calls > 0 {
			return err
		}
		calls++
		return fmt.Errorf("%w: %w", hostfile.ErrNotDurable, unix.EIO)
	}
	if o := s.Apply(t.Context(), s.restore(1), nil); !errors.Is(o.Err, unix.EIO) || calls != 1 {
		t.Fatalf("outcome %+v", o)
	}
	s.has(want, "after a rollback that failed")
}

// A record of connsync 1.0.0 says nothing of it; a file is made as a new one then.
func TestRollBackOfAnOldRecord(t *testing.T) {
	var e Entry
	if err := json.Unmarshal([]byte(`{"number":1,"outcome":"saved"}`), &e); err != nil || e.Access != nil {
		t.Errorf("%+v, %v", e, err)
	}
}
