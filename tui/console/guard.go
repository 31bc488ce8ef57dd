package console

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guardedBy is the variable that holds the process that guards this one.
const guardedBy = "CONNSYNC_GUARDED_BY"

// Guarded says that this process was started by the [Line.Guard] of another one.
func Guarded() bool { return os.Getenv(guardedBy) == strconv.Itoa(os.Getppid()) }

// saidMost is how much is kept of what a guarded program prints on its standard
// error while it has the terminal: a panic says first what it is about.
const saidMost = 2 << 10

// Guard runs this program again, with the same arguments, and waits for its end:
// in the same process group, so that the terminal's keys and the shell's job
// control are for both, with the signals that come handed on. Whatever ends it, a
// panic of any goroutine or the kernel too, the terminal is left as it was. errs
// gets what it says on its standard error, once the terminal is not drawn on.
func (l *Line) Guard(signals *Signals, errs io.Writer) (syscall.WaitStatus, error) {
	before, err := unix.IoctlGetTermios(int(l.in.Fd()), unix.TCGETS)
	if err != nil {
		return 0, fmt.Errorf("read terminal attributes: %w", err)
	}
	said, words, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer said.Close()
	// The kernel tells the child of the end of the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What stops or continues one of the two does so to the other.
	jobs := make(chan os.Signal, 4)
	signal.Notify(jobs, syscall.SIGTSTP, syscall.SIGCONT)
	defer signal.Stop(jobs)
	child, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env:   append(slices.Clone(l.environ), guardedBy+"="+strconv.Itoa(os.Getpid())),
		Files: []*os.File{l.in, l.out, words},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGHUP},
	})
	words.Close()
	if err != nil {
		return 0, fmt.Errorf("start the program that draws: %w", err)
	}
	back := signals.Hand(func(s os.Signal) { _ = child.Signal(s) })
	defer back()
	g := &guarded{line: l, pid: child.Pid, before: before, errs: errs}
	var listening sync.WaitGroup
	listening.Go(func() { g.listen(said) })
	status, err := g.await(jobs)
	_ = child.Release()
	if err != nil {
		return 0, fmt.Errorf("wait for the program that draws: %w", err)
	}
	// Who has inherited the other end of the pipe may keep it for long.
	_ = said.SetReadDeadline(time.Now().Add(endLimit / 4))
	listening.Wait()
	g.cleanUp()
	return status, nil
}

// guarded is a program under guard.
type guarded struct {
	line   *Line
	pid    int
	before *unix.Termios
	errs   io.Writer
	kept   []byte // of its standard error; of listen, then of cleanUp
}

// drawn says whether the terminal is as the program draws on it.
func (g *guarded) drawn() bool {
	now, err := unix.IoctlGetTermios(int(g.line.in.Fd()), unix.TCGETS)
	return err == nil && *now != *g.before
}

// listen passes on what the program says, and keeps it where that would get among
// what is drawn.
func (g *guarded) listen(said *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := said.Read(buf)
		g.kept = append(g.kept, buf[:min(n, saidMost-len(g.kept))]...)
		if len(g.kept) > 0 && !g.drawn() {
			_, _ = g.errs.Write(g.kept) // there is nowhere else to say so
			g.kept = nil
		}
		if err != nil {
			return
		}
	}
}

// await returns how the program ended.
func (g *guarded) await(jobs <-chan os.Signal) (syscall.WaitStatus, error) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-jobs:
				_ = syscall.Kill(g.pid, s.(syscall.Signal))
			}
		}
	}()
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(g.pid, &status, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case status.Stopped():
			// It is this process that the shell has started and looks at.
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
		default:
			return status, nil
		}
	}
}

// cleanUp leaves the terminal as it was, where the program has not, and says what
// it has said.
func (g *guarded) cleanUp() {
	if g.drawn() {
		g.leaveScreen()
		g.line.restore(g.before)
	}
	if len(g.kept) > 0 {
		_, _ = g.errs.Write(append(bytes.TrimRight(g.kept, "\n"), '\n'))
	}
}

// leaveScreen brings the terminal out of whatever it was sent last, below what was
// drawn. A line that takes nothing has its queue thrown away.
func (g *guarded) leaveScreen() {
	const cancel = "\x18" // an escape sequence that was cut short
	out := g.line.out
	if !writable(out, int((endLimit / 4).Milliseconds())) {
		discard(out)
		return
	}
	leave := cancel + "\x0f\x1b[m\x1b[r\x1b[4l"
	if _, height, ok := windowSize(out); ok && g.line.kind != Rich {
		leave += fmt.Sprintf("\x1b[%d;1H", height)
	}
	if g.line.kind == Rich {
		leave += "\x1b[?25h\x1b[?1049l"
	}
	_, _ = out.WriteString(leave + "\r\n") // a line that is lost needs nothing
}
