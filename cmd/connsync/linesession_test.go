package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// lineSession is the program in line mode, and all that it has written.
type lineSession struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	tty  *os.File // nil with pipes
	done chan struct{}

	mu    sync.Mutex
	paper bytes.Buffer
}

// startPiped starts cmd with pipes for its input and output.
func startPiped(t *testing.T, cmd *exec.Cmd, start func(*exec.Cmd) error) *lineSession {
	t.Helper()
	s := &lineSession{t: t, cmd: cmd, done: make(chan struct{})}
	in, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s.in = writer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, s, s
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color")
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	s.watch()
	t.Cleanup(func() { writer.Close() })
	return s
}

// here starts a program on this host, as [lab.Node.Enter] does in a node.
func here(start func() error) error { return start() }

// startOnTerminal starts cmd on a terminal of its own, of the type term and of
// no size, as on a serial line.
func startOnTerminal(t *testing.T, cmd *exec.Cmd, term string, enter func(func() error) error) *lineSession {
	t.Helper()
	s := &lineSession{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM="+term)
	var tty *os.File
	if err := enter(func() (err error) {
		tty, err = pty.Start(cmd)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// A file that the runtime polls, so that it can be closed under a read. No
	// program that another test starts meanwhile may inherit it: the line would
	// stay open.
	fd, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	tty.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.tty = os.NewFile(uintptr(fd), "ptmx")
	s.in = s.tty
	s.watch()
	t.Cleanup(func() { s.tty.Close() })
	return s
}

// control runs fn on the terminal's descriptor.
func (s *lineSession) control(fn func(fd int) error) {
	s.t.Helper()
	raw, err := s.tty.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = fn(int(fd)) }), err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// termios are the terminal's attributes.
func (s *lineSession) termios() (t unix.Termios) {
	s.t.Helper()
	s.control(func(fd int) error {
		got, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			t = *got
		}
		return err
	})
	return t
}

func (s *lineSession) watch() {
	go func() {
		_ = s.cmd.Wait() // its status is in ProcessState
		close(s.done)
	}()
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
	})
}

// read takes what the terminal shows until it is gone.
func (s *lineSession) read() { _, _ = io.Copy(s, s.tty) }

func (s *lineSession) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paper.Write(p)
}

func (s *lineSession) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.paper.String(), "\r\n", "\n")
}

// asks waits until the last thing on the paper is a question that begins like
// that, and answers.
func (s *lineSession) asks(question, answer string) {
	s.t.Helper()
	s.until("asks "+question, func(text string) bool {
		last := text[strings.LastIndex(text, "\n")+1:]
		return strings.HasPrefix(last, question) && strings.HasSuffix(last, ": ")
	})
	if _, err := io.WriteString(s.in, answer+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *lineSession) says(text string) {
	s.t.Helper()
	s.until("says "+text, func(paper string) bool { return strings.Contains(paper, text) })
}

func (s *lineSession) until(what string, ok func(string) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(s.text()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("it never %s; it wrote:\n%s", what, s.text())
		}
	}
}

// ends waits for the end, and fails where there was a byte on the paper that
// is neither printable ASCII nor newline.
func (s *lineSession) ends(within time.Duration, want int) {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(within):
		s.t.Fatalf("it did not end within %v; it wrote:\n%s", within, s.text())
	}
	if status := s.cmd.ProcessState.ExitCode(); status != want {
		s.t.Errorf("exit status %d, want %d; it wrote:\n%s", status, want, s.text())
	}
	text := s.text()
	for i := range len(text) {
		if b := text[i]; b != '\n' && (b < ' ' || b > '~') {
			s.t.Fatalf("byte %#x after %q", b, text[max(0, i-60):i])
		}
	}
}

// numberOf is the number that the list gives to an interface.
func numberOf(s *lineSession, name string) string {
	s.t.Helper()
	number := ""
	s.until("lists "+name, func(text string) bool {
		for line := range strings.Lines(text) {
			if before, _, ok := strings.Cut(line, " "+name+"  "); ok && strings.Contains(text, "Interface Name") {
				number = before
			}
		}
		return number != ""
	})
	return number
}
