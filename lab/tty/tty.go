// Package tty puts a program on a pseudo-terminal, as at the end of a serial
// line, with an emulator that shows what a person would see and a count of the
// bytes that went over the line.
package tty

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"connsync/lab/vt102"
)

// Line is what a program is put on. The zero value is 0x0, as a serial port is,
// and takes bytes as fast as they come.
type Line struct {
	// Width and Height are the size that the kernel knows. The emulator is
	// 80x24 where they are 0.
	Width, Height int
	// Environ is put after the process's own.
	Environ []string
	// Rate is how many bytes a second the line takes; 0 is any number.
	Rate int
	// Speed is a termios speed such as [unix.B9600]; 0 leaves the kernel's.
	Speed uint32
	// Answers says whether the terminal says where its cursor is when asked.
	Answers bool
}

// Seat is a person's place at the terminal of a running program. Its methods
// are safe for concurrent use.
type Seat struct {
	ptmx, tty *os.File // tty keeps the terminal when the program has gone
	cmd       *exec.Cmd
	line      Line
	screen    *vt102.Screen
	ended     chan struct{}
	before    unix.Termios

	mu      sync.Mutex
	stream  []byte
	latest  time.Time
	stopped bool
	resume  *sync.Cond
}

// Open starts cmd, as the leader of a session of its own, on a new line. within
// calls the function it is given where the program is to be started, such as
// [connsync/lab.Node.Enter]; nil is here.
func Open(cmd *exec.Cmd, line Line, within func(func() error) error) (*Seat, error) {
	width, height := line.Width, line.Height
	if width == 0 || height == 0 {
		width, height = 80, 24
	}
	s := &Seat{cmd: cmd, line: line, screen: vt102.New(width, height), ended: make(chan struct{}), latest: time.Now()}
	s.resume = sync.NewCond(&s.mu)
	cmd.Env = append(append(os.Environ(), cmd.Env...), line.Environ...)
	if within == nil {
		within = func(start func() error) error { return start() }
	}
	if err := within(s.start); err != nil {
		return nil, err
	}
	go s.read()
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(s.ended)
	}()
	return s, nil
}

func (s *Seat) start() (err error) {
	if s.ptmx, s.tty, err = pty.Open(); err != nil {
		return err
	}
	fd := int(s.tty.Fd())
	size := &unix.Winsize{Row: uint16(s.line.Height), Col: uint16(s.line.Width)}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size); err != nil {
		return err
	}
	if s.before, err = s.Attributes(); err != nil {
		return err
	}
	if s.line.Speed != 0 {
		s.before.Cflag = s.before.Cflag&^unix.CBAUD | s.line.Speed
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &s.before); err != nil {
			return err
		}
		if s.before, err = s.Attributes(); err != nil {
			return err
		}
	}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	return s.cmd.Start()
}

// read is the line: it takes bytes at its rate.
func (s *Seat) read() {
	buf := make([]byte, 4096)
	if s.line.Rate > 0 {
		buf = buf[:max(1, s.line.Rate/100)]
	}
	for free := time.Now(); ; {
		n, err := s.ptmx.Read(buf)
		if s.line.Rate > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(n) * time.Second / time.Duration(s.line.Rate))
			time.Sleep(time.Until(free))
		}
		_, _ = s.screen.Write(buf[:n])
		s.mu.Lock()
		s.stream = append(s.stream, buf[:n]...)
		s.latest = time.Now()
		asked := s.line.Answers && strings.Contains(string(s.stream[max(0, len(s.stream)-n-4):]), "\x1b[6n")
		for s.stopped {
			s.resume.Wait()
		}
		s.mu.Unlock()
		if asked {
			_ = s.Type("\x1b[24;80R")
		}
		if err != nil {
			return
		}
	}
}

// Stop makes the line take nothing more, as after Ctrl+S or with a cable that
// was pulled on a line with flow control; Go lets it go on.
func (s *Seat) Stop() { s.set(true) }

// Go ends a Stop.
func (s *Seat) Go() { s.set(false) }

func (s *Seat) set(stopped bool) {
	s.mu.Lock()
	s.stopped = stopped
	s.mu.Unlock()
	s.resume.Broadcast()
}

// Type sends keys, as one burst.
func (s *Seat) Type(keys string) error {
	_, err := s.ptmx.WriteString(keys)
	return err
}

// Shows is the screen as text, a line each.
func (s *Seat) Shows() string { return s.screen.String() }

// Cursor is where the cursor is, both from 0.
func (s *Seat) Cursor() (x, y int) { return s.screen.Cursor() }

// See waits until the screen holds every one of texts; of one that begins with
// "-" it must not hold the rest.
func (s *Seat) See(within time.Duration, texts ...string) error {
	for limit := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		missing := missing(s.Shows(), texts)
		if missing == "" {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("after %v the screen does not show %q:\n%s", within, missing, s.Shows())
		}
	}
}

func missing(screen string, texts []string) string {
	for _, text := range texts {
		rest, not := strings.CutPrefix(text, "-")
		if not && len(rest) > 0 && strings.Contains(screen, rest) || !not && !strings.Contains(screen, text) {
			return text
		}
	}
	return ""
}

// Sent is how many bytes have come over the line.
func (s *Seat) Sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stream)
}

// Stream is what has come over the line.
func (s *Seat) Stream() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.stream...)
}

// Quiet waits until nothing has come for that long, but not longer than limit.
func (s *Seat) Quiet(span, limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		quiet := time.Since(s.latest)
		s.mu.Unlock()
		if quiet >= span {
			return
		}
	}
}

// Attributes are the terminal's, which outlives its program.
func (s *Seat) Attributes() (unix.Termios, error) {
	t, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		return unix.Termios{}, err
	}
	return *t, nil
}

// AttributesBefore are those that the program found.
func (s *Seat) AttributesBefore() unix.Termios { return s.before }

// Resize changes the size and tells the program, as an emulator does.
func (s *Seat) Resize(width, height int) error {
	s.screen.Resize(width, height)
	return unix.IoctlSetWinsize(int(s.ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)})
}

// HangUp closes the line at the far end.
func (s *Seat) HangUp() error { return errors.Join(s.tty.Close(), s.ptmx.Close()) }

// Process is the program.
func (s *Seat) Process() *os.Process { return s.cmd.Process }

// Ended is closed when the program has ended.
func (s *Seat) Ended() <-chan struct{} { return s.ended }

// Wait waits for the program to end and returns how.
func (s *Seat) Wait(within time.Duration) (*os.ProcessState, error) {
	select {
	case <-s.ended:
		return s.cmd.ProcessState, nil
	case <-time.After(within):
		return nil, fmt.Errorf("the program has not ended after %v; the screen shows:\n%s", within, s.Shows())
	}
}

// Close ends the program, if it runs, and gives the line back.
func (s *Seat) Close() {
	select {
	case <-s.ended:
	default:
		_ = s.cmd.Process.Kill()
	}
	s.Go()
	_ = s.HangUp()
	_ = s.screen.Close()
}
