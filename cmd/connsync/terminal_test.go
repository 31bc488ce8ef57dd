package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"connsync/lab/vt102"
)

// terminal is the program on a pseudo-terminal, with an emulator that shows
// what a person would see.
type terminal struct {
	t    *testing.T
	ptmx *os.File
	cmd  *exec.Cmd
	done chan error

	screen *vt102.Screen
}

const (
	columns = 80
	lines   = 24
	// patience is how long a screen may take; checks and restarts included.
	patience = time.Minute
)

// open starts cmd on a terminal of its own. The start function starts it, so
// that it can be done inside a node.
func open(t *testing.T, cmd *exec.Cmd, start func(func() error) error) *terminal {
	t.Helper()
	cmd.Env = append(os.Environ(), "TERM=vt100", "LC_ALL=C")
	tm := &terminal{t: t, cmd: cmd, screen: vt102.New(columns, lines), done: make(chan error, 1)}
	err := start(func() (err error) {
		tm.ptmx, err = pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: lines})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	go tm.read()
	go func() { tm.done <- cmd.Wait() }()
	t.Cleanup(func() {
		if tm.cmd.Process != nil {
			_ = tm.cmd.Process.Kill()
		}
		tm.ptmx.Close()
	})
	return tm
}

func (tm *terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := tm.ptmx.Read(buf)
		tm.screen.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

// shows is the screen as text.
func (tm *terminal) shows() string { return tm.screen.String() }

// see waits until the screen holds every one of texts.
func (tm *terminal) see(texts ...string) {
	tm.t.Helper()
	tm.until("shows "+strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// gone waits until the screen no longer holds text.
func (tm *terminal) gone(text string) {
	tm.t.Helper()
	tm.until("no longer shows "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

func (tm *terminal) until(what string, ok func(screen string) bool) {
	tm.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok(tm.shows()) {
		if time.Now().After(deadline) {
			tm.t.Fatalf("the screen never %s; it shows:\n%s", what, tm.shows())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// keys are what a serial line sends.
const (
	tab      = "\t"
	shiftTab = "\x1b[Z"
	enter    = "\r"
	space    = " "
	right    = "\x1b[C"
	down     = "\x1b[B"
	escKey   = "\x1b"
	ctrlC    = "\x03"
	ctrlO    = "\x0f"
	ctrlU    = "\x15"
)

// press types; a key at a time, as fast as a line of 9600 baud brings them.
func (tm *terminal) press(keys ...string) {
	tm.t.Helper()
	for _, k := range keys {
		if _, err := tm.ptmx.WriteString(k); err != nil {
			tm.t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ponder is what a person does before an answer: a screen that came up by
// itself takes no key for a moment, so that none typed ahead is taken for one.
func (tm *terminal) ponder() { time.Sleep(time.Second) }

// ends waits for the program to end and returns its exit status.
func (tm *terminal) ends() int {
	tm.t.Helper()
	select {
	case <-tm.done:
		return tm.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		tm.t.Fatalf("the program did not end; it shows:\n%s", tm.shows())
		return -1
	}
}

// A question takes the whole line that answers it: what is left of it would be the shell's
// next command. Only a yes in full, with the end of its line, is one.
func TestAnswerTakesItsWholeLine(t *testing.T) {
	for typed, want := range map[string]bool{"y\n": true, " YES \n": true, "n reboot\n": false, "y reboot\n": false, "\n": false, "y\x04\x04": false} {
		ptmx, tty, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer ptmx.Close()
		defer tty.Close()
		if _, err := ptmx.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		err = confirm(t.Context(), streams{in: tty, out: io.Discard}, "Roll back?", "--yes agrees")
		if agreed := err == nil; agreed != want {
			t.Errorf("%q: agreed %v, %v", typed, agreed, err)
		}
		if left, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCINQ); err != nil || left != 0 {
			t.Errorf("%q: %d bytes are left for the shell, %v", typed, left, err)
		}
	}
}
