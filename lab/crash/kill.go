package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab/tty"
)

// What is counted.
const (
	kills   = "kills"
	tooLate = "ended before its kill"
	// notReached is a form that did not get to its save.
	notReached = "form without a save"
	isOld      = "file: the old one"
	isNew      = "file: the new one"
	repaired   = "recovery: had something to do"
	nothing    = "recovery: nothing to do"
	held       = "line stopped"
)

// The kinds of save.
const (
	byApply    = "apply"
	byRollback = "rollback"
	byForm     = "form"
)

// hangUp stands for the far end of the line that is closed.
const hangUp = syscall.Signal(0)

// kill is one end of the program.
type kill struct {
	number  int
	kind    string
	signal  syscall.Signal // hangUp closes the line
	group   bool           // all processes on the line, else one of them
	drawing bool           // of the form, the one that draws
	stopped bool           // the line is stopped before
	at      float64        // of the time that such a save takes
	term    string
}

// newKill draws a kill; the same seed and number give the same.
func newKill(seed uint64, number int) kill {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	k := kill{number: number, at: r.Float64(), stopped: r.IntN(10) == 0, group: r.IntN(3) == 0, drawing: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		k.at *= 0.4 // the first part is where the file and the daemon change
	}
	k.kind = []string{byApply, byApply, byApply, byRollback, byForm}[r.IntN(5)]
	k.signal = []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, hangUp}[r.IntN(6)]
	if k.signal == syscall.SIGKILL && k.kind == byForm {
		k.group, k.drawing = false, true // the other one guards the terminal, and leads the session here
	}
	k.term = []string{"vt100", "xterm"}[r.IntN(2)]
	return k
}

func (k kill) name() string {
	if k.signal == hangUp {
		return "closed line"
	}
	return unix.SignalName(k.signal)
}

func (k kill) String() string {
	words := []string{fmt.Sprintf("kill %d: %s, %s at %.3f", k.number, k.kind, k.name(), k.at)}
	for word, is := range map[string]bool{"the group": k.group, "the one that draws": k.drawing && k.kind == byForm, "line stopped": k.stopped} {
		if is {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// recorder keeps what comes over the line.
type recorder struct {
	mu   sync.Mutex
	sent bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent.Write(p)
}

// onScreen says that the alternate screen was entered and not left.
func (r *recorder) onScreen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.LastIndex(r.sent.Bytes(), []byte("\x1b[?1049h")) > bytes.LastIndex(r.sent.Bytes(), []byte("\x1b[?1049l"))
}

// endsWithin is how long a program may take to its safe point and its end.
const endsWithin = 90 * time.Second

// seated is a save that goes on at a terminal.
type seated struct {
	*tty.Seat
	sent *recorder
}

// sit starts a save of the other size of the buffers and returns when it is as far
// as its kill may come.
func (n *node) sit(k kill, buffer int) (*seated, error) {
	args := map[string][]string{byApply: n.apply(buffer), byRollback: {"rollback", "--first-node"}, byForm: nil}[k.kind]
	s := &seated{sent: &recorder{}}
	line := tty.Line{Width: 100, Height: 40, Environ: []string{"TERM=" + k.term, "LC_ALL=C", "TMPDIR=" + temporary}, Tap: s.sent}
	var err error
	if s.Seat, err = tty.Open(exec.Command(n.program, args...), line, n.Enter); err != nil || k.kind != byForm {
		return s, err
	}
	return s, s.save(buffer)
}

// save goes through the form up to the save.
func (s *seated) save(buffer int) error {
	const tab, ctrlU, enter, patience = "\t", "\x15", "\r", time.Minute
	for _, at := range []struct{ sees, types string }{
		{"(*) Enable", strings.Repeat(tab, 5) + ctrlU + fmt.Sprint(buffer) + tab + ctrlU + fmt.Sprint(buffer) + tab},
		{"> [ Save Changes ]", enter},
		{"Enter goes on to the review.", enter},
		{"> [ Apply ]", enter},
	} {
		if err := s.See(patience, at.sees); err != nil {
			return err
		}
		if at.types == enter {
			time.Sleep(time.Second) // as a person reads what came by itself
		}
		if err := s.Type(at.types); err != nil {
			return err
		}
	}
	return nil
}

// child is the process that draws the form, zero where there is none.
func child(pid int) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		if list, err := os.ReadFile(path); err == nil {
			if child, err := strconv.Atoi(strings.TrimSpace(string(list))); err == nil {
				return child
			}
		}
	}
	return 0
}

// end ends the program as the kill says.
func (s *seated) end(k kill) error {
	pid := s.Process().Pid
	if k.stopped {
		if err := s.Type("\x13"); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	switch draws := child(pid); {
	case k.signal == hangUp:
		return s.HangUp()
	case k.group:
		pid = -pid
	case k.drawing && k.kind == byForm && draws != 0:
		pid = draws
	}
	if err := syscall.Kill(pid, k.signal); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// await waits for the end, which a stopped line does not hold up; only after a
// SIGQUIT that was ignored the program waits for its line.
func (s *seated) await(ctx context.Context, k kill) error {
	limit := time.After(endsWithin)
	var goOn <-chan time.Time
	if k.signal == syscall.SIGQUIT && k.stopped {
		goOn = time.After(15 * time.Second)
	}
	leave := time.NewTicker(2 * time.Second)
	defer leave.Stop()
	for {
		select {
		case <-s.Ended():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-goOn:
			goOn = nil
			if err := s.Type("\x11"); err != nil {
				return err
			}
		case <-leave.C:
			// The form goes on after a SIGQUIT that was ignored.
			if k.kind == byForm && k.signal == syscall.SIGQUIT && (!k.stopped || goOn == nil) {
				_ = s.Type("\x03")
			}
		case <-limit:
			return fmt.Errorf("it has not ended after %v; the screen shows:\n%s", endsWithin, s.Shows())
		}
	}
}

// once does one kill, and counts what came of it.
func (n *node) once(ctx context.Context, f *figures, k kill) error {
	old, err := n.buffer()
	if err != nil {
		return err
	}
	s, err := n.sit(k, n.other(old))
	if s.Seat == nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	defer s.Close()
	if err != nil { // a busy host: a check could not run, and the form asks
		f.count(notReached)
		return ctx.Err()
	}
	select {
	case <-time.After(time.Duration(k.at * float64(n.takes[k.kind]))):
	case <-s.Ended():
		f.count(tooLate)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.end(k); err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	f.count(kills, "by "+k.name(), "of "+k.kind)
	if k.stopped {
		f.count(held)
	}
	if err := s.await(ctx, k); err != nil {
		f.fail(k, err.Error())
		return ctx.Err()
	}
	n.examine(context.WithoutCancel(ctx), f, k, s, old)
	return ctx.Err()
}
