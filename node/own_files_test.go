package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/node/asked"
	"connsync/node/failoverlog"
)

// planted are the ways in which somebody else puts something in the place of a file
// that connsync owns.
var planted = map[string]func(victim, path string) error{
	"symbolic link": os.Symlink,
	"hard link":     os.Link,
	"fifo":          func(_, path string) error { return unix.Mkfifo(path, 0o666) },
	"of another":    func(_, path string) error { return theirs(path) },
	"writable":      func(_, path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666)) },
	"in a directory of another": func(_, path string) error {
		return os.Chown(filepath.Dir(path), 65534, 65534)
	},
}

func theirs(path string) error {
	return errors.Join(os.WriteFile(path, []byte("LLB\n"), 0o644), os.Chown(path, 65534, 65534))
}

// What somebody else could have put in the place of one of connsync's files is
// neither believed, nor written to, nor waited for.
func TestOwnFilesOfSomebodyElse(t *testing.T) {
	run := service.State{MainPID: 1, Since: time.Now()}
	for file, use := range map[string]func(dir string) error{
		"asked": func(dir string) error {
			n := &Node{Options: Options{RuntimeDir: dir}}
			for range 2 {
				if !(asked.Memory{Dir: n.RuntimeDir}).May(run, health.Received{}) {
					return nil // it was remembered
				}
			}
			return errors.New("asked of another")
		},
		"failover.log": func(dir string) error {
			l := failoverlog.Open(dir, failover.RolePrimary, false)
			l.Write("a line")
			l.Close()
			path := filepath.Join(dir, failover.LogName)
			if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe != 0 {
				return errors.Join(err, errors.New("no regular file"))
			}
			if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), "a line") {
				return errors.Join(err, errors.New("failover.log is left out"))
			}
			return nil
		},
		"setup": func(dir string) error {
			n := &Node{Options: Options{StateDir: dir, RuntimeDir: filepath.Join(dir, "run")}}
			_, read := hostfile.ReadOwn(n.setupFile(), 10)
			return errors.Join(read, n.NoteSetup(SetupDone))
		},
		"application": func(dir string) error {
			_, err := readApplication("", filepath.Join(dir, "application"))
			return err
		},
	} {
		for name, plant := range planted {
			if (file == "setup" || file == "application") && (strings.HasSuffix(name, "link")) {
				continue // read, and replaced as a whole: a link there is root's
			}
			t.Run(file+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				path, victim := filepath.Join(dir, file), filepath.Join(t.TempDir(), "victim")
				if err := errors.Join(os.WriteFile(victim, []byte("precious\n"), 0o600), plant(victim, path)); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- use(dir) }()
				select {
				case err := <-done:
					if err == nil {
						t.Error("it is believed")
					}
				case <-time.After(2 * time.Minute):
					t.Error("it is waited for")
				}
				if content, err := os.ReadFile(victim); err != nil || string(content) != "precious\n" {
					t.Errorf("another file is now %q (%v)", content, err)
				}
			})
		}
		t.Run(file+"/own", func(t *testing.T) {
			dir := t.TempDir()
			if file == "setup" || file == "application" {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("LLB\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := use(dir); err != nil {
				t.Error(err)
			}
		})
	}
}
