package service

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"

	"golang.org/x/sys/unix"
)

// Only daemons count: not the clients of a daemon, not other programs.
func TestDaemonConfig(t *testing.T) {
	tests := []struct {
		line   string
		config string
		daemon bool
	}{
		{"conntrackd -d -C /a.conf", "/a.conf", true},
		{"conntrackd -C /a.conf -d", "/a.conf", true},
		{"/usr/sbin/conntrackd -C /a.conf", "/a.conf", true},
		{"conntrackd -d", defaultConfig, true},
		{"conntrackd", defaultConfig, true},
		{"conntrackd -C /a.conf -s", "", false},
		{"conntrackd -C /a.conf -i", "", false},
		{"conntrackd -k", "", false},
	}
	for _, tt := range tests {
		config, daemon := daemonConfig(strings.Fields(tt.line))
		if config != tt.config || daemon != tt.daemon {
			t.Errorf("%s: %q, %t", tt.line, config, daemon)
		}
	}
}

func TestProcessesAreConntrackdOnly(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	cmd.Args = []string{"conntrackd", "60"} // a liar: its argv is conntrackd's
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if p, ok := readProcess(cmd.Process.Pid, ""); ok {
		t.Errorf("a process that calls itself conntrackd counts as one: %+v", p)
	}
}

func TestLogSince(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	at := time.Date(2026, 11, 23, 22, 51, 12, 500e6, time.Local)
	content := "[Mon Nov 23 22:51:11 2026] (pid=1) [notice] before\n" +
		"[Mon Nov 23 22:51:12 2026] (pid=1) [notice] same second\n" +
		"\x1b[31mno time\x00\n" +
		"[Mon Nov 23 22:51:13 2026] (pid=1) [ERROR] after \x1b[2J\n"
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]int{-1: 2, 0: 2, 60: 1, 1000: 2} {
		lines, err := logSince(path, at, offset)
		if err != nil || len(lines) != want {
			t.Errorf("from %d: %q, %v", offset, lines, err)
		}
	}
	if lines, err := logSince(path+"x", at, -1); err != nil || len(lines) != 0 {
		t.Errorf("without a file: %q, %v", lines, err)
	}
	long := strings.Repeat("x", 2<<20) + "\n" + content
	if err := os.WriteFile(path, []byte(long), 0o644); err != nil {
		t.Fatal(err)
	}
	if lines, err := logSince(path, at, -1); err != nil || len(lines) != 2 {
		t.Errorf("after a line of 2 MiB: %q, %v", lines, err)
	}
}

// A stale socket is removed, a living one and what is no socket stay.
func TestDirectClean(t *testing.T) {
	dir := t.TempDir()
	d := &Direct{Config: filepath.Join(dir, "conf"), LockFile: filepath.Join(dir, "lock"), SocketPath: filepath.Join(dir, "ctl")}
	if err := os.WriteFile(d.SocketPath, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	// conntrackd would remove it as it starts.
	if err := d.clean(t.Context()); err == nil {
		t.Error("a start goes on beside a file in the place of the socket")
	}
	if _, err := os.Stat(d.SocketPath); err != nil {
		t.Errorf("a file that is no socket was removed: %v", err)
	}
	if err := os.Remove(d.SocketPath); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.SocketPath})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := d.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.SocketPath); err == nil {
		t.Error("a stale socket is still there")
	}
	conntracktest.ServeControl(t, d.SocketPath, func(control.Request) []byte { return nil })
	if err := d.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.SocketPath); err != nil {
		t.Error("a living socket was removed")
	}
}

// A lock of another user is not what a killed daemon has left, and stays.
func TestDirectForeignLock(t *testing.T) {
	dir := t.TempDir()
	d := &Direct{Config: filepath.Join(dir, "conf"), LockFile: filepath.Join(dir, "lock"), SocketPath: filepath.Join(dir, "ctl")}
	for uid, want := range map[int]bool{0: true, 65534: false} {
		if err := os.WriteFile(d.LockFile, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d.LockFile, uid, -1); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour) // no daemon of another test may have made it
		if err := os.Chtimes(d.LockFile, long, long); err != nil {
			t.Fatal(err)
		}
		if killed, err := d.killed(); err != nil || killed != want {
			t.Errorf("a lock of user %d says %t, %v", uid, killed, err)
		}
		if err := d.clean(t.Context()); (err == nil) != want {
			t.Errorf("removing the lock of user %d: %v", uid, err)
		}
	}
}

// startAs starts the real daemon's file as a user, under a name of its own, and
// leaves it waiting for the writer of a FIFO.
func startAs(t *testing.T, uid uint32, config string) *exec.Cmd {
	t.Helper()
	program, err := FindBinary("")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(filepath.Dir(config), "conntrackd")
	if err := os.WriteFile(name, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(name, int(uid), int(uid)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "-d", "-C", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func fifo(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "fifo")
	if err := errors.Join(os.Chmod(dir, 0o755), unix.Mkfifo(path, 0o666), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A daemon whose file is a FIFO keeps nobody waiting, and one of another user's
// counts for nothing, though its command line names our file.
func TestProcessesOfOthersAreNotBelieved(t *testing.T) {
	const nobody = 65534
	for _, tt := range []struct {
		name string
		uid  uint32
		want int
	}{{"root's", 0, 1}, {"another's", nobody, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			path := fifo(t)
			cmd := startAs(t, tt.uid, path)
			d := &Direct{Config: path, LockFile: path + ".lock", SocketPath: path + ".ctl"}
			if running, err := d.running(); err != nil || len(running) != tt.want {
				t.Errorf("%d daemons run, %v; want %d", len(running), err, tt.want)
			}
			done := make(chan error, 1)
			go func() {
				_, err := (&Direct{Config: path, SocketPath: path + ".ctl"}).lockOwner()
				done <- err
			}()
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("looking for the owner of a lock waits for the FIFO")
			}
			if err := d.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if lives := ProcessLives(cmd.Process.Pid); lives == (tt.want == 1) {
				t.Errorf("after the stop it lives: %t", lives)
			}
		})
	}
}

// A name above a linked directory is that of what the kernel opens.
func TestSameFileAboveALink(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.MkdirAll(dir+"/data/d", 0o755), os.Symlink("data/d", dir+"/link"),
		os.WriteFile(dir+"/c.conf", nil, 0o644), os.WriteFile(dir+"/data/c.conf", nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	given := dir + "/link/../c.conf"
	if SameFile(given, dir+"/c.conf") || !SameFile(given, dir+"/data/c.conf") {
		t.Errorf("%s counts as another file than the kernel's", given)
	}
	if samePath(dir+"/link/../lock", dir+"/lock") || !samePath(dir+"/link/../lock", dir+"/data/lock") {
		t.Error("and so does a file that is not there")
	}
	if got := realDirectory(dir + "/link/.."); got != realDirectory(dir+"/data") {
		t.Errorf("the directory above the link is %s", got)
	}
}
