package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/keepalived"
	"connsync/node/hookscript"
)

// A hook is looked for in the whole script. Where that cannot be read, the
// check says so, and not that the script calls nothing.
func TestFailoverHookReadsTheWholeScript(t *testing.T) {
	dir := t.TempDir()
	script := func(size int, end string) string {
		path := filepath.Join(dir, t.Name()+".sh")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		comment := strings.Repeat("# about nothing\n", size/16)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+comment+end), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name   string
		path   func() (string, error)
		status check.Status
		detail string
	}{
		{"after 64 KiB", func() (string, error) { return script(100<<10, "exec connsync failover primary\n"), nil }, check.Passed, ""},
		{"nowhere", func() (string, error) { return script(100<<10, "exit 0\n"), nil }, check.Failed, "keepalived does not call connsync failover"},
		{"too large", func() (string, error) { return script(2<<20, "exec connsync failover primary\n"), nil }, check.Unknown, "has more than 1048576 bytes"},
		{"a directory", func() (string, error) { return dir, nil }, check.Unknown, "is not a regular file"},
		{"a FIFO", func() (string, error) { path := filepath.Join(dir, "fifo"); return path, unix.Mkfifo(path, 0o755) }, check.Unknown, "is not a regular file"},
		{"a device", func() (string, error) { return "/dev/tty", nil }, check.Unknown, "is not a regular file"},
		{"not there", func() (string, error) { return filepath.Join(dir, "nowhere"), nil }, check.Unknown, "no such file"},
		{"a read that fails", func() (string, error) { return "/proc/self/mem", nil }, check.Unknown, "read /proc/self/mem: input/output error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, err := tt.path()
			if err != nil {
				t.Fatal(err)
			}
			h := hook{
				mover:   mover(t, group(`notify_master "`+path+`" root`, backup, fault)),
				program: "/usr/sbin/connsync failover", userExists: userExists, read: hookscript.Read, config: DefaultConfig, parse: parseHook,
				refusal: func(keepalived.Script, string) (string, error) { return "", nil },
			}
			found := make(chan check.Finding, 1)
			go func() { found <- h.judge() }()
			select {
			case got := <-found:
				if got.Status != tt.status || !strings.Contains(got.Detail, tt.detail) {
					t.Errorf("%s: %s; want %s: %s", got.Status, got.Detail, tt.status, tt.detail)
				}
			case <-time.After(time.Minute):
				t.Fatal("the check waits for the file")
			}
		})
	}
}

// Whom keepalived runs a script as is not guessed where the users of this host
// cannot be looked up.
func TestFailoverHookSaysThatUsersCannotBeLookedUp(t *testing.T) {
	h := hook{
		mover:      mover(t, group(`notify "/usr/sbin/connsync failover"`)),
		userExists: func(string) (bool, error) { return false, fs.ErrPermission }, config: DefaultConfig, parse: parseHook,
		refusal: func(keepalived.Script, string) (string, error) { return "", nil },
	}
	got := h.judge()
	if got.Status != check.Unknown || !errors.Is(got.Err, fs.ErrPermission) {
		t.Errorf("%s: %s (%v)", got.Status, got.Detail, got.Err)
	}
	if found, err := userExists("no-such-user-here"); found || err != nil {
		t.Errorf("a user that does not exist: %v, %v", found, err)
	}
	if found, err := userExists("root"); !found || err != nil {
		t.Errorf("root: %v, %v", found, err)
	}
}
