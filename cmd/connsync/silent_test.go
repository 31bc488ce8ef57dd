package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// growing is what a program has printed so far.
type growing struct {
	mu   sync.Mutex
	text strings.Builder
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func (g *growing) holds(text string) bool { return strings.Contains(g.String(), text) }

// A file system that does not answer, as one over a network that is gone, is named, and keeps
// no command that changes nothing from ending with a signal.
func TestSignalsEndWhatAFileSystemHolds(t *testing.T) {
	t.Parallel()
	program, dir := build(t), t.TempDir()
	// Of this thread alone, which ends with the test: so does the mount.
	runtime.LockOSThread()
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("this test needs FUSE: %v", err)
	}
	defer fuse.Close()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse.Fd())
	if err := unix.Mount("silent", dir, "fuse", 0, options); err != nil {
		t.Fatalf("mount a file system that nobody serves: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	other := t.TempDir()
	for _, tt := range []struct {
		by   syscall.Signal
		args []string
	}{
		{unix.SIGINT, []string{"history", "--state-dir", dir}},
		{unix.SIGHUP, []string{"show", "--config", filepath.Join(dir, "conntrackd.conf"), "--state-dir", other}},
		{unix.SIGTERM, []string{"failover", "backup", "--state-dir", dir, "--runtime-dir", other}},
		{unix.SIGQUIT, []string{"show", "--state-dir", dir}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, tt.args...)
		var said growing
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for held := false; !(held && said.holds("waiting for "+dir)) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			held = isHeld(cmd.Process.Pid)
		}
		_ = cmd.Process.Signal(tt.by)
		err := cmd.Wait()
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if want := tt.by; ctx.Err() != nil || !status.Signaled() || status.Signal() != want && (want != unix.SIGQUIT || status.Signal() != unix.SIGTERM) {
			t.Errorf("%v: %s: %v (%v)\n%s", tt.by, strings.Join(tt.args, " "), err, ctx.Err(), said.String())
		}
	}
}

// isHeld says whether a thread of a process waits for a file system, which the kernel
// shows as D; proc_pid_stat(5).
func isHeld(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		stat, _ := os.ReadFile(task)
		if _, after, found := strings.Cut(string(stat), ") "); found && strings.HasPrefix(after, "D") {
			return true
		}
	}
	return false
}
