// Package tty puts a program on a pseudo-terminal, as at the end of a serial
// line, with an emulator that shows what a person would see and a count of the
// bytes that went over the line.
package tty

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
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
	// Background is what the terminal says that its background is, such as
	// "rgb:ffff/ffff/ffff"; blank says nothing.
	Background string
	// Tap is given what comes over the line; nil is nobody.
	Tap io.Writer
	// Detached says that the line is not to be the program's controlling
	// terminal: the kernel sends it no signal.
	Detached bool
	// StoppedFirst says that the line is stopped, as by Ctrl+S, before the
	// program is started.
	StoppedFirst bool
}

// Seat is a person's place at the terminal of a running program. Its methods
// are safe for concurrent use.
type Seat struct {
	*Terminal
	ptmx, tty *os.File // tty keeps the terminal when the program has gone
	cmd       *exec.Cmd
	line      Line
	ended     chan struct{}
	before    unix.Termios
}

// Open starts cmd, as the leader of a session of its own, on a new line. within
// calls the function it is given where the program is to be started, such as
// [connsync/lab.Node.Enter]; nil is here.
func Open(cmd *exec.Cmd, line Line, within func(func() error) error) (*Seat, error) {
	s := &Seat{cmd: cmd, line: line, ended: make(chan struct{})}
	cmd.Env = append(append(os.Environ(), cmd.Env...), line.Environ...)
	if within == nil {
		within = func(start func() error) error { return start() }
	}
	if err := within(s.start); err != nil {
		return nil, err
	}
	width, height := line.Width, line.Height
	if width == 0 || height == 0 {
		width, height = 80, 24
	}
	var end io.ReadWriter = s.ptmx
	if line.Tap != nil {
		end = struct {
			io.Reader
			io.Writer
		}{io.TeeReader(s.ptmx, line.Tap), s.ptmx}
	}
	s.Terminal = NewTerminal(end, width, height, line.Rate)
	s.Answer(line.Answers)
	s.Colour(line.Background)
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(s.ended)
	}()
	return s, nil
}

// openLine makes a line whose far end can be closed under a read.
func (s *Seat) openLine() error {
	ptmx, tty, err := pty.Open()
	if err != nil {
		return err
	}
	defer ptmx.Close()
	s.tty = tty
	fd, err := unix.FcntlInt(ptmx.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	s.ptmx = os.NewFile(uintptr(fd), ptmx.Name())
	return err
}

func (s *Seat) start() (err error) {
	if err := s.openLine(); err != nil {
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
	if s.line.StoppedFirst {
		if err := unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOOFF); err != nil {
			return err
		}
	}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: !s.line.Detached}
	return s.cmd.Start()
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
	s.Terminal.Resize(width, height)
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
	_ = s.Terminal.Close()
}
