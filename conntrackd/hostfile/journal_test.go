package hostfile

import (
	"errors"
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

// newJournal opens a journal beside a host that has one file, of the year 2020.
func newJournal(t *testing.T) (j *Journal, host string) {
	t.Helper()
	dir := t.TempDir()
	host = filepath.Join(dir, "host.conf")
	if err := os.WriteFile(host, []byte("old\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	if err := os.Chtimes(host, when, when); err != nil {
		t.Fatal(err)
	}
	return reopened(t, filepath.Join(dir, "state", "journal.json")), host
}

func reopened(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path, JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func changeOf(path, read, content string) Change {
	c := Change{Item: "test", Kind: ChangeFile, Path: path, Content: []byte(content)}
	if read != "" {
		c.Read = []byte(read)
	}
	return c
}

// A run that is rolled back leaves the files with mode and time, the
// directories and the journal as they were.
func TestJournalRollBack(t *testing.T) {
	j, host := newJournal(t)
	fresh := filepath.Join(filepath.Dir(host), "a", "b", "new.conf")
	found, stood := hostfiletest.Files(t, filepath.Dir(host)), fileInfo(t, host)
	run := j.Begin()
	if err := run.Make(t.Context(), changeOf(fresh, "", "new\n"), changeOf(host, "old\n", "new\n")); err != nil {
		t.Fatal(err)
	}
	if entries := reopened(t, j.path).Entries(); len(entries) != 2 {
		t.Errorf("the journal has the entries %+v", entries)
	}
	if err := run.RollBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(found, hostfiletest.Files(t, filepath.Dir(host))); diff != "" {
		t.Errorf("rolled back (-before +after):\n%s", diff)
	}
	if now := fileInfo(t, host); now.Mode() != stood.Mode() || !now.ModTime().Equal(stood.ModTime()) {
		t.Errorf("the file is %v of %v, was %v of %v", now.Mode(), now.ModTime(), stood.Mode(), stood.ModTime())
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(host), "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory made for the run: %v", err)
	}
	if len(j.Entries()) > 0 {
		t.Errorf("the journal still has %v", j.Entries())
	}
}

func fileInfo(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// What stood there before the first change comes back after the second.
func TestJournalUndoesTwoRuns(t *testing.T) {
	j, host := newJournal(t)
	read := "old\n"
	for _, content := range []string{"one\n", "two\n"} {
		if err := reopened(t, j.path).Begin().Make(t.Context(), changeOf(host, read, content)); err != nil {
			t.Fatal(err)
		}
		read = content
	}
	j = reopened(t, j.path)
	for _, ours := range []string{"one\n", "two\n"} {
		if e, found := j.Find(ChangeFile, host); !found || !e.Ours([]byte(ours)) || e.Ours([]byte("old\n")) {
			t.Errorf("the entry is %+v (%v)", e, found)
		}
	}
	undone, err := j.Undo(t.Context(), false)
	if err != nil || len(undone) != 1 || undone[0].Left != "" || undone[0].Err != nil {
		t.Fatalf("%+v, %v", undone, err)
	}
	if diff := cmp.Diff(map[string]string{"/host.conf": "old\n"}, hostfiletest.Files(t, filepath.Dir(host))); diff != "" {
		t.Errorf("undone (-want +got):\n%s", diff)
	}
}

// No file is changed before the journal tells of it, and none that is not as it
// was read.
func TestJournalIsWrittenFirst(t *testing.T) {
	t.Run("a journal that cannot be written", func(t *testing.T) {
		j, host := newJournal(t)
		j.files.rename = func(string, string) error { return syscall.ENOSPC }
		run := j.Begin()
		if err := run.Make(t.Context(), changeOf(host, "old\n", "new\n")); !errors.Is(err, syscall.ENOSPC) || run.Any() {
			t.Errorf("%v; anything to roll back: %v", err, run.Any())
		}
		if diff := cmp.Diff(map[string]string{"/host.conf": "old\n"}, hostfiletest.Files(t, filepath.Dir(host))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("a file that cannot be written", func(t *testing.T) {
		j, host := newJournal(t)
		j.files.rename = func(from, to string) error {
			if to == host {
				return syscall.EIO
			}
			return os.Rename(from, to)
		}
		run := j.Begin()
		if err := run.Make(t.Context(), changeOf(host, "old\n", "new\n")); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		if _, found := reopened(t, j.path).Find(ChangeFile, host); !found {
			t.Error("the journal does not tell of the change")
		}
		if err := run.RollBack(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"/host.conf": "old\n"}, hostfiletest.Files(t, filepath.Dir(host))); diff != "" {
			t.Errorf("rolled back (-want +got):\n%s", diff)
		}
	})
	t.Run("a file changed since it was read", func(t *testing.T) {
		j, host := newJournal(t)
		run := j.Begin()
		var changed *ChangedError
		if err := run.Make(t.Context(), changeOf(host, "older\n", "new\n")); !errors.As(err, &changed) {
			t.Fatal(err)
		}
		if err := run.RollBack(t.Context()); err != nil || len(reopened(t, j.path).Entries()) > 0 {
			t.Errorf("the journal tells of a change that was not made (%v)", err)
		}
		if got, err := os.ReadFile(host); err != nil || string(got) != "old\n" {
			t.Errorf("the file is %q (%v)", got, err)
		}
	})
}

// A file that could not be changed is as it was: the rollback leaves it alone, and
// nothing is left to undo.
func TestJournalRollBackOfAnImmutableFile(t *testing.T) {
	j, host := newJournal(t)
	if err := chattr("+i", host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chattr("-i", host) })
	run := j.Begin()
	if err := run.Make(t.Context(), changeOf(host, "old\n", "new\n")); !errors.Is(err, syscall.EPERM) {
		t.Fatal(err)
	}
	if err := run.RollBack(t.Context()); err != nil || len(reopened(t, j.path).Entries()) > 0 {
		t.Errorf("rolled back: %v; the journal has %v", err, reopened(t, j.path).Entries())
	}
}

// A rollback does not undo what somebody else has done since, says so, and
// keeps the journal.
func TestJournalRollBackLeavesChangesOfOthers(t *testing.T) {
	for name, theirs := range map[string]func(path string) error{
		"changed": func(path string) error { return os.WriteFile(path, []byte("theirs\n"), 0o640) },
		"removed": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			j, host := newJournal(t)
			run := j.Begin()
			if err := run.Make(t.Context(), changeOf(host, "old\n", "new\n")); err != nil {
				t.Fatal(err)
			}
			if err := theirs(host); err != nil {
				t.Fatal(err)
			}
			if err := run.RollBack(t.Context()); err == nil || !strings.Contains(err.Error(), host+" is left alone: it was "+name+" by somebody else") {
				t.Errorf("the rollback says %v", err)
			}
			if got, _ := Read(host); string(got) == "old\n" || string(got) == "new\n" {
				t.Errorf("the file is %q", got)
			}
			if _, found := reopened(t, j.path).Find(ChangeFile, host); !found {
				t.Error("the journal has forgotten the change")
			}
		})
	}
}

// Changes that undo earlier ones in their own way are rolled back with the
// journal, also a removed file.
func TestJournalPutIsRolledBack(t *testing.T) {
	j, host := newJournal(t)
	if err := j.Begin().Make(t.Context(), changeOf(host, "old\n", "new\n")); err != nil {
		t.Fatal(err)
	}
	before := hostfiletest.Files(t, filepath.Dir(host))
	j = reopened(t, j.path)
	run := j.Begin()
	removal := Change{Kind: ChangeFile, Path: host, Read: []byte("new\n")}
	if err := errors.Join(run.Put(t.Context(), removal), run.Forget()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{}, hostfiletest.Files(t, filepath.Dir(host))); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if err := run.RollBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, hostfiletest.Files(t, filepath.Dir(host))); diff != "" {
		t.Errorf("rolled back (-before +after):\n%s", diff)
	}
}

// A change that says what was there before replaces what the journal has, and
// one that is in place and recorded is not pending.
func TestJournalPending(t *testing.T) {
	j, host := newJournal(t)
	c := changeOf(host, "old\n", "new\n")
	if err := j.Begin().Make(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c.Read, c.Before = c.Content, &Before{File: &FileState{Content: []byte("theirs\n")}}
	for _, want := range []bool{true, false} {
		if got, err := j.Pending(c); err != nil || got != want {
			t.Fatalf("pending %v (%v), want %v", got, err, want)
		}
		if err := j.Begin().Make(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Undo(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(host); err != nil || string(got) != "theirs\n" {
		t.Errorf("undone, the file is %q (%v)", got, err)
	}
	if mode := fileInfo(t, host).Mode(); mode != 0o640 {
		t.Errorf("its mode, which is not in the journal, became %v", mode)
	}
}

// A journal that cannot be read is an error with what is lost and the way out, and is
// not written over.
func TestJournalUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.json")
	nothing := JournalOptions{Lost: "nothing is undone", Known: func(JournalEntry) bool { return false }}
	for content, detail := range map[string]string{
		"":  "unexpected end of JSON input",
		"{": "unexpected end of JSON input",
		`{"entries": [{"kind": "file", "path": "/etc/passwd"}]}`: "connsync does not change file /etc/passwd",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		want := "read " + path + ": it is damaged (" + detail + "): mv " + path + " " + path + ".damaged puts it aside, and a new one is begun; without it nothing is undone"
		if _, err := OpenJournal(path, nothing); err == nil || err.Error() != want {
			t.Errorf("it says %v", err)
		}
	}
}

// The journal holds the content of files that only root may read: nobody else may read
// it, whatever mode an earlier version gave it.
func TestJournalIsPrivate(t *testing.T) {
	j, host := newJournal(t)
	for _, content := range []string{"one\n", "two\n"} {
		read, err := os.ReadFile(host)
		if err != nil {
			t.Fatal(err)
		}
		if err := reopened(t, j.path).Begin().Make(t.Context(), changeOf(host, string(read), content)); err != nil {
			t.Fatal(err)
		}
		if mode := fileInfo(t, j.path).Mode(); mode != 0o600 {
			t.Errorf("the journal has mode %v", mode)
		}
		if err := os.Chmod(j.path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if mode := fileInfo(t, filepath.Dir(j.path)).Mode().Perm(); mode != 0o700 {
		t.Errorf("its directory has mode %v", mode)
	}
	if mode := fileInfo(t, host).Mode(); mode != 0o640 {
		t.Errorf("the changed file has mode %v", mode)
	}
}

// A file that was removed comes back with its own mode, and never has a wider one.
func TestRemovedFileComesBackClosed(t *testing.T) {
	j, host := newJournal(t)
	if err := os.Chmod(host, 0o600); err != nil {
		t.Fatal(err)
	}
	var mode fs.FileMode
	j.files.rename = func(from, to string) error {
		if to == host {
			mode = fileInfo(t, from).Mode()
		}
		return os.Rename(from, to)
	}
	run := j.Begin()
	if err := run.Put(t.Context(), Change{Kind: ChangeFile, Path: host, Read: []byte("old\n")}); err != nil {
		t.Fatal(err)
	}
	if err := run.RollBack(t.Context()); err != nil || mode != 0o600 || fileInfo(t, host).Mode() != 0o600 {
		t.Errorf("it came back with mode %v, and has %v (%v)", mode, fileInfo(t, host).Mode(), err)
	}
}
