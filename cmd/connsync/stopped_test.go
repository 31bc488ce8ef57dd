package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
	"connsync/lab"
	"connsync/lab/tty"
)

const (
	xoff = "\x13" // Ctrl+S, or a byte that the line has made up
	xon  = "\x11"
)

// within waits until a condition holds.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// desktop is a directory for a configuration that no daemon has, and the flags
// for it.
func desktop(t *testing.T) (dir string, flags []string) {
	dir = t.TempDir()
	return dir, []string{
		"--config", filepath.Join(dir, "conntrackd.conf"), "--service", "none",
		"--state-dir", filepath.Join(dir, "state"), "--runtime-dir", filepath.Join(dir, "run"),
	}
}

// savedAside are the arguments of a save that needs no network.
var savedAside = []string{"apply", "--disable", "--interface", "eth1", "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24"}

// fullPipe is a pipe that holds as much as it can, and whose reader stalls.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := unix.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := unix.Write(fds[1], []byte("x")); err != nil {
			break
		}
	}
	if err := unix.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	return w
}

// A save is done and its lock free whatever its output takes; then a signal ends
// the program, which would wait for the output otherwise.
func TestSaveDoesNotWaitForItsOutput(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]func(t *testing.T, cmd *exec.Cmd) (end func() error){
		"stopped line": func(t *testing.T, cmd *exec.Cmd) func() error {
			seat, err := tty.Open(cmd, tty.Line{Width: 80, Height: 24, StoppedFirst: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(seat.Close)
			return func() error { _, err := seat.Wait(endsWithin); return err }
		},
		"full pipe": func(t *testing.T, cmd *exec.Cmd) func() error {
			full := fullPipe(t)
			cmd.Stdout, cmd.Stderr = full, full
			return started(t, cmd)
		},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
			t.Run(name+"/"+unix.SignalName(sig), func(t *testing.T) {
				t.Parallel()
				dir, flags := desktop(t)
				cmd := exec.Command(build(t), append(flags, savedAside...)...)
				ended := on(t, cmd)
				within(t, patience, "the file is there and the lock free", func() bool {
					if !exists(filepath.Join(dir, "conntrackd.conf")) {
						return false // and the lock is the program's to take
					}
					lock, err := hostfile.LockWriter(filepath.Join(dir, "run"))
					if err != nil {
						return false
					}
					return lock.Close() == nil
				})
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				if err := ended(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// started starts a command; the function that it returns waits for its end.
func started(t *testing.T, cmd *exec.Cmd) (wait func() error) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	return func() error {
		select {
		case <-done:
			return nil
		case <-time.After(endsWithin):
			return fmt.Errorf("it has not ended after %v", endsWithin)
		}
	}
}

// Each signal ends a command that only looks, though its line is stopped, and no
// trace of the program comes out.
func TestStoppedLineKeepsNoCommand(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"show"}, {"show", "--json"}, {"history"}, {"check"}, {"--help"}} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
			t.Run(strings.Join(args, " ")+"/"+unix.SignalName(sig), func(t *testing.T) {
				t.Parallel()
				_, flags := desktop(t)
				cmd := exec.Command(build(t), append(flags, args...)...)
				seat, err := tty.Open(cmd, tty.Line{Width: 80, Height: 24, StoppedFirst: true}, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer seat.Close()
				within(t, patience, "it waits for the line", func() bool { return waitsForLine(cmd.Process.Pid) })
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				state, err := seat.Wait(endsWithin)
				if err != nil {
					t.Fatal(err)
				}
				if !state.Exited() {
					t.Errorf("it was ended by the signal itself: %v", state)
				}
				if err := seat.Type(xon); err != nil {
					t.Fatal(err)
				}
				if shows := seat.Shows(); strings.Contains(shows, "goroutine") {
					t.Errorf("it shows a trace:\n%s", shows)
				}
			})
		}
	}
}

// waitsForLine says that a thread of the process waits in a write to a terminal.
func waitsForLine(pid int) bool {
	calls, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	for _, path := range calls {
		call, err := os.ReadFile(path)
		for _, fd := range []string{" 0x1 ", " 0x2 "} {
			if err == nil && strings.HasPrefix(string(call), fmt.Sprint(unix.SYS_WRITE)+fd) {
				return true
			}
		}
	}
	return false
}

// A line that is stopped in the middle of a save, by Ctrl+S or a byte that noise
// has made, does not hold it up: the daemon gets the new file and the lock is
// free. Ctrl+\ is ignored meanwhile. When the line goes on, everything is said.
func TestLineStoppedInASave(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	program, a := build(t), pair.A
	save := func(buffer int) []string {
		return []string{"apply", "--enable", "--first-node", "--interface", lab.SyncInterface, "--send-buffer", fmt.Sprint(buffer),
			"--receive-buffer", fmt.Sprint(buffer), "--current-ip", a.Sync.String(), "--peer-ip", pair.B.Sync.String()}
	}
	if out, err := a.Run(ctx, program, save(65536)...); err != nil && !strings.Contains(out, "in force") {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	for i, stop := range []func(seat *tty.Seat) error{
		func(seat *tty.Seat) error { return seat.Type(xoff) },
		func(seat *tty.Seat) error {
			for range 3 {
				if err := seat.Process().Signal(syscall.SIGQUIT); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		buffer := 131072 + 1024*i
		seat, err := tty.Open(exec.Command(program, save(buffer)...), tty.Line{Width: 100, Height: 40, Environ: []string{"TERM=vt100"}}, a.Enter)
		if err != nil {
			t.Fatal(err)
		}
		defer seat.Close()
		if err := seat.See(patience, "Write "+lab.ConfigPath); err != nil {
			t.Fatal(err)
		}
		if err := stop(seat); err != nil {
			t.Fatal(err)
		}
		within(t, patience, "another program may save", func() bool {
			out, err := a.Run(ctx, program, "apply", "--dry-run", "--enable")
			shown, _ := a.Run(ctx, program, "history")
			return err == nil && out != "" && !strings.Contains(shown, "pending") && !strings.Contains(shown, "under way")
		})
		out, _ := a.Run(ctx, program, "status", "--json")
		if want := fmt.Sprintf(`"send_buffer_in_force": %d`, 2*buffer); !strings.Contains(out, want) {
			t.Errorf("the daemon does not run with the file:\n%s", out)
		}
		if err := seat.Type(xon); err != nil {
			t.Fatal(err)
		}
		if err := seat.See(patience, "Saved, and in force."); err != nil {
			t.Error(err)
		}
		if state, err := seat.Wait(patience); err != nil || !state.Exited() {
			t.Errorf("it ended with %v (%v)", state, err)
		}
		if strings.Contains(seat.Shows(), "goroutine") {
			t.Errorf("it shows a trace:\n%s", seat.Shows())
		}
	}
}

// The first SIGTERM waits for a safe point, a second one ends the program at once;
// what it leaves, the next start rolls back or completes.
func TestSecondSIGTERMEndsASave(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	program, a := build(t), pair.A
	seat, err := tty.Open(exec.Command(program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", a.Sync.String(), "--peer-ip", pair.B.Sync.String()), tty.Line{Width: 100, Height: 40}, a.Enter)
	if err != nil {
		t.Fatal(err)
	}
	defer seat.Close()
	if err := seat.See(patience, "Write "+lab.ConfigPath); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := seat.Process().Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	state, err := seat.Wait(endsWithin)
	if err != nil {
		t.Fatal(err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", state)
	}
	if out, err := a.Run(ctx, program, "show"); err != nil || !strings.Contains(out, "was interrupted") {
		t.Errorf("show: %v\n%s", err, out)
	}
	if out, err := a.Run(ctx, program, "show"); err != nil || strings.Contains(out, "interrupted") {
		t.Errorf("show again: %v\n%s", err, out)
	}
}
