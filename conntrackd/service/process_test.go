package service

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
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
	if p, ok := readProcess(cmd.Process.Pid); ok {
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
	if err := d.clean(t.Context()); err != nil {
		t.Fatal(err)
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
