package keepalived

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What keepalived goes by is what it has loaded, at its start or at a reload, and not what
// its file has become since.
func TestNotLoaded(t *testing.T) {
	dir := t.TempDir()
	path, included := filepath.Join(dir, "keepalived.conf"), filepath.Join(dir, "group.conf")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "global_defs {\n enable_script_security\n script_user root\n}\n$IF=eth0\nvrrp_instance LAN { # one\n state BACKUP\n interface $IF\n virtual_router_id 5\n"+
		" priority 100\n virtual_ipaddress {\n  10.9.9.9/24\n }\n @node notify_fault \"/bin/true fault\"\n}\ninclude "+included+"\n")
	write(included, "vrrp_sync_group VG {\n group {\n LAN\n }\n}\n")
	process, end := startKeepalived(t, filepath.Join(dir, "log"), "--use-file", path, "--config-id", "node",
		"--pid", dir+"/p", "--vrrp_pid", dir+"/v", "--checkers_pid", dir+"/c", "--bfd_pid", dir+"/b")
	i := Installation{PID: process.Pid, ConfigPath: path, ConfigID: "node"}
	look := func() string {
		t.Helper()
		c, err := Load(path, "node", Habits{})
		if err != nil || len(c.Unread) > 0 || len(c.Groups) != 1 {
			t.Fatalf("%v: %+v", err, c)
		}
		why, err := i.NotLoaded(c)
		if err != nil {
			t.Fatal(err)
		}
		return why
	}
	if why := look(); why != "" {
		t.Errorf("at its start: %s", why)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if why := look(); why != "" {
		t.Errorf("with the same words: %s", why)
	}
	write(included, "vrrp_sync_group VG {\n group {\n LAN\n }\n notify_master \"/bin/true primary\"\n}\n")
	if why := look(); !strings.Contains(why, "has not read "+included+" since it changed") {
		t.Errorf("with another script: %q", why)
	}
	if err := process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(20 * time.Second); look() != ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("reloaded: %s", look())
		}
	}
	end()
}

// A process that keeps no copy has read at its start what has not changed since.
func TestNotLoadedWithoutACopy(t *testing.T) {
	const program = "/bin/sh"
	i := Installation{PID: os.Getpid()}
	if why, err := i.NotLoaded(&Config{Files: []string{program}}); why != "" || err != nil {
		t.Errorf("an older file: %q, %v", why, err)
	}
	newer := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(newer, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if why, err := i.NotLoaded(&Config{Files: []string{program, newer}}); why != "" || err == nil || !strings.Contains(err.Error(), "has not read "+newer+" since it changed cannot be seen: it keeps no copy") {
		t.Errorf("a newer file: %q, %v", why, err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if why, err := (Installation{PID: gone.Process.Pid}).NotLoaded(&Config{Files: []string{newer}}); why != "" || err != nil {
		t.Errorf("one that has ended: %q, %v", why, err)
	}
	if why, err := (Installation{}).NotLoaded(&Config{Files: []string{newer}}); why != "" || err != nil {
		t.Errorf("none runs: %q, %v", why, err)
	}
}
