// Package emulator puts a real terminal emulator at the end of a line: minicom,
// GNU screen, tmux, or the Linux console. What it shows is what a person would
// see there, which no emulator of our own can promise.
package emulator

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// The size of every emulator.
const (
	Width  = 80
	Height = 24
)

// Emulator is a terminal that somebody sits at. It takes what the line brings
// by Write; what the terminal sends (keys, and answers to questions) comes out
// of the function that it was opened with.
type Emulator interface {
	io.Writer
	// Type presses keys, given as what they send.
	Type(keys string) error
	// Shows is the screen as text, a line each, without trailing blanks, and
	// where the cursor is, both from 0.
	Shows() (text string, x, y int, err error)
	// Close ends it.
	Close() error
}

// Names are those that can be opened on this machine, for [Open]. The Linux
// console is among them where the kernel has one.
func Names() []string {
	names := []string{"minicom", "screen", "tmux"}
	if _, err := os.Stat("/sys/class/tty/tty0"); err == nil {
		names = append(names, "linux")
	}
	return names
}

// Open starts an emulator. Each key that it sends is handed to sent, at the pace
// of 9600 baud.
func Open(ctx context.Context, name string, sent func([]byte) error) (Emulator, error) {
	var e Emulator
	var err error
	switch name {
	case "linux":
		e, err = openConsole(sent)
	case "minicom", "screen", "tmux":
		e, err = openWindow(ctx, name, sent)
	default:
		err = errors.New("no such emulator")
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return e, nil
}

// byteTime is what a byte takes at 9600 baud.
const byteTime = time.Second * 10 / 9600

// relay hands on what comes from a terminal, until that ends.
func relay(from io.Reader, send func([]byte) error) {
	buf := make([]byte, 256)
	for {
		n, err := from.Read(buf)
		if send(buf[:n]) != nil || err != nil {
			return
		}
	}
}

// trickle hands on a key at a time, at the pace of a line. The bytes of a key follow one
// another on a line whatever the hosts do, and a pause of this one would cut them.
func trickle(p []byte, sent func([]byte) error) error {
	for len(p) > 0 {
		n := keyLength(p)
		time.Sleep(time.Duration(n) * byteTime)
		if err := sent(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// keyLength is of the first key: a byte, or Esc and what follows up to a final byte
// (ECMA-48), which neither the bracket of CSI nor the O of SS3 is.
func keyLength(p []byte) int {
	if p[0] != 0x1b {
		return 1
	}
	for i, b := range p[1:] {
		if b >= '@' && b != '[' && b != 'O' {
			return i + 2
		}
	}
	return len(p)
}

// window is an emulator inside a window of a tmux of its own, which presses
// its keys and reads its screen.
type window struct {
	name, dir string
	ptmx, tty *os.File      // the line as the emulator finds it
	left      chan struct{} // closed when nobody has the line open
}

func openWindow(ctx context.Context, name string, sent func([]byte) error) (w *window, err error) {
	w = &window{name: name, left: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "connsync-emulator-"); err != nil {
		return w, err
	}
	if err := w.open(); err != nil {
		return w, err
	}
	if _, err := term.MakeRaw(w.tty.Fd()); err != nil {
		return w, err
	}
	go func() {
		defer close(w.left)
		relay(w.ptmx, func(p []byte) error { return trickle(p, sent) })
	}()
	height, script, ready := w.emulator()
	if _, err := w.tmux("new-session", "-d", "-x", fmt.Sprint(Width), "-y", fmt.Sprint(height), script); err != nil {
		return w, err
	}
	return w, w.await(ctx, ready)
}

// open makes the line. Its end here is one that can be closed under a read.
func (w *window) open() error {
	ptmx, tty, err := pty.Open()
	if err != nil {
		return err
	}
	defer ptmx.Close()
	w.tty = tty
	fd, err := unix.FcntlInt(ptmx.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	w.ptmx = os.NewFile(uintptr(fd), ptmx.Name())
	return err
}

// emulator is how to start one, how high its window has to be, and what it
// shows when it has taken the line.
func (w *window) emulator() (height int, script, ready string) {
	line := w.tty.Name()
	switch w.name {
	case "minicom": // has a line of its own at the bottom
		return Height + 1, "HOME=" + w.dir + " exec minicom -D " + line + " -b 9600 -o", "Welcome to minicom"
	case "screen":
		config := "printf 'startup_message off\\n' >" + w.dir + "/screenrc; mkdir -m 700 " + w.dir + "/screen; "
		return Height, config + "SCREENDIR=" + w.dir + "/screen exec screen -c " + w.dir + "/screenrc " + line + " 9600", ""
	}
	return Height, "stty raw -echo; cat " + line + " & exec cat >" + line, ""
}

// await waits until the emulator shows that it has the line: what it says by
// itself, or else what comes over the line.
func (w *window) await(ctx context.Context, ready string) error {
	said := ready != ""
	if !said {
		ready = "the line is here"
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if !said { // over and over: screen throws away what came before it
			if _, err := w.Write([]byte("\r" + ready)); err != nil {
				return err
			}
		}
		text, _, _, err := w.Shows()
		if err == nil && strings.Contains(text, ready) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not take the line (%w); it shows:\n%s", errors.Join(ctx.Err(), err), text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (w *window) Write(p []byte) (int, error) { return w.ptmx.Write(p) }

func (w *window) Type(keys string) error {
	args := []string{"send-keys", "-H"}
	for i := range len(keys) {
		args = append(args, hex.EncodeToString([]byte{keys[i]}))
	}
	_, err := w.tmux(args...)
	return err
}

func (w *window) Shows() (text string, x, y int, err error) {
	out, err := w.tmux("display-message", "-p", "#{cursor_x} #{cursor_y}", ";", "capture-pane", "-p")
	if err != nil {
		return "", 0, 0, err
	}
	at, text, _ := strings.Cut(out, "\n")
	if _, err := fmt.Sscan(at, &x, &y); err != nil {
		return "", 0, 0, fmt.Errorf("tmux says %q: %w", out, err)
	}
	return trimmed(strings.Split(text, "\n")), x, y, nil
}

// trimmed is a screen of that many lines, without trailing blanks.
func trimmed(lines []string) string {
	var b strings.Builder
	for y := range Height {
		if y < len(lines) {
			b.WriteString(strings.TrimRight(lines[y], " "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (w *window) tmux(args ...string) (string, error) {
	args = append([]string{"-u", "-f", "/dev/null", "-S", filepath.Join(w.dir, "tmux")}, args...)
	cmd := exec.Command("tmux", args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.Env = append(os.Environ(), "TMUX=", "LC_ALL=C.UTF-8")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("tmux: %w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.String(), nil
}

// Close ends tmux, which ends what runs in it, and waits until that has left
// the line.
func (w *window) Close() error {
	var errs []error
	if w.ptmx != nil {
		if w.name == "screen" { // it outlives its window
			quit := exec.Command("screen", "-X", "quit")
			quit.Env = append(os.Environ(), "SCREENDIR="+w.dir+"/screen")
			errs = append(errs, quit.Run())
		}
		_, _ = w.tmux("kill-server") // which may have ended with its window
		errs = append(errs, w.tty.Close())
		select {
		case <-w.left:
		case <-time.After(10 * time.Second):
			errs = append(errs, errors.New("the emulator does not leave its line"))
		}
		errs = append(errs, w.ptmx.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}
