package refresh

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile is the lock file in dir as a refresh that has ended left it, but with another
// process's number.
func lockFile(t *testing.T, dir string, pid int) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := writeStatus(f, Status{PID: pid, Interval: time.Hour, Lifetime: time.Hour, Entries: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	return f
}

// sleeper is a program that runs until the test ends, with files open.
func sleeper(t *testing.T, open ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.ExtraFiles = open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// The file names the process that has the lock from the beginning, and not the one before.
func TestLockNamesItsHolder(t *testing.T) {
	dir := t.TempDir()
	lockFile(t, dir, 1)
	held, err := lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if s, err := Running(dir); err != nil || s == nil || s.PID != os.Getpid() || s.Idle == "" {
		t.Errorf("it says %+v, %v", s, err)
	}
}

// Who looks whether a refresh runs keeps none from its start.
func TestLockWaitsForALook(t *testing.T) {
	dir := t.TempDir()
	look := int(lockFile(t, dir, 1).Fd())
	if err := unix.Flock(look, unix.LOCK_SH|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	looked := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() { looked <- unix.Flock(look, unix.LOCK_UN) })
	held, err := lock(t.Context(), dir)
	if err := errors.Join(err, <-looked); err != nil {
		t.Fatal(err)
	}
	held.Close()
}

// A lock that is held for longer, or a context that has ended, is not waited for.
func TestLockOfAnotherRefresh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Flock(int(lockFile(t, dir, 42).Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		var running *RunningError
		if _, err := lock(ctx, dir); !errors.As(err, &running) || running.Status.PID != 42 {
			t.Errorf("it says %v", err)
		}
	}
}

// Stop ends the process that has the lock, and no other that has got the number in its file.
func TestStopSignalsTheHolderOnly(t *testing.T) {
	dir := t.TempDir()
	f := lockFile(t, dir, 0)
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	holder, other := sleeper(t, f), sleeper(t)
	ended := make(chan error, 2)
	for _, cmd := range []*exec.Cmd{holder, other} {
		go func() { ended <- cmd.Wait() }()
	}
	if err := writeStatus(f, Status{PID: other.Process.Pid}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := Stop(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with another process in the file: %v", err)
	}
	if hasOpen(0, f.Name()) {
		t.Error("a file that names no process has its whole group signalled")
	}
	select {
	case err := <-ended:
		t.Errorf("the other process has ended: %v", err)
	default:
	}
	if err := writeStatus(f, Status{PID: holder.Process.Pid}); err != nil {
		t.Fatal(err)
	}
	f.Close() // it is the holder's alone now
	if err := Stop(t.Context(), dir); err != nil {
		t.Error(err)
	}
}
