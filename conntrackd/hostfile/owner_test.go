package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// nobody is a user other than the one that runs the tests.
const nobody = 65534

// A journal or a directory that somebody else could have written is not read.
func TestOpenJournalOfSomebodyElse(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(dir, path string) error
		named  func(dir, path string) string
		remedy string
	}{
		"directory": {func(dir, _ string) error { return os.Chown(dir, nobody, nobody) }, func(dir, _ string) string { return dir }, "chown 0 "},
		"writable":  {func(dir, _ string) error { return os.Chmod(dir, 0o777) }, func(dir, _ string) string { return dir }, "chmod go-w "},
		"file":      {func(_, path string) error { return os.Chown(path, nobody, nobody) }, func(_, path string) string { return path }, "chown 0 "},
		"file mode": {func(_, path string) error { return os.Chmod(path, 0o666) }, func(_, path string) string { return path }, "chmod go-w "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "journal.json")
			if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenJournal(path, JournalOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(dir, path); err != nil {
				t.Fatal(err)
			}
			_, err := OpenJournal(path, JournalOptions{})
			var untrusted *trust.OwnerError
			if !errors.As(err, &untrusted) || untrusted.Path != tt.named(dir, path) || !strings.HasSuffix(err.Error(), tt.remedy+untrusted.Path) {
				t.Errorf("it says %v", err)
			}
		})
	}
	t.Run("sticky", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(filepath.Join(dir, "journal.json"), JournalOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// What is not the lock file stays as it is.
func TestLockWriterLeavesOthersFiles(t *testing.T) {
	for name, put := range map[string]func(victim, lock string) error{
		"symbolic link": os.Symlink,
		"hard link":     os.Link,
		"fifo":          func(_, lock string) error { return unix.Mkfifo(lock, 0o600) },
		"of another": func(_, lock string) error {
			return errors.Join(os.WriteFile(lock, []byte("precious\n"), 0o600), os.Chown(lock, nobody, nobody))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			victim, lock := filepath.Join(dir, "victim"), filepath.Join(dir, "run", "lock")
			err := errors.Join(os.Mkdir(filepath.Dir(lock), 0o755), os.WriteFile(victim, []byte("precious\n"), 0o600), put(victim, lock))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = LockWriter(filepath.Dir(lock)); err == nil || !strings.Contains(err.Error(), lock) {
				t.Errorf("it says %v", err)
			}
			if seen := LockObstacle(filepath.Dir(lock)); seen == nil || !strings.HasSuffix(err.Error(), seen.Error()) {
				t.Errorf("a look says %v, and the lock %v", seen, err)
			}
			if content, err := os.ReadFile(victim); err != nil || string(content) != "precious\n" {
				t.Errorf("the other file is %q (%v)", content, err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	var untrusted *trust.OwnerError
	if _, err := LockWriter(dir); !errors.As(err, &untrusted) {
		t.Errorf("a directory of somebody else: %v", err)
	}
	if err := LockObstacle(dir); !errors.As(err, &untrusted) {
		t.Errorf("a look at it: %v", err)
	}
}
