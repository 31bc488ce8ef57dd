package console

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		term string
		pty  bool
		want Kind
	}{
		{"", true, Dumb}, {"dumb", true, Dumb}, {"unknown", false, Dumb},
		{"vt100", true, Serial}, {"vt220", false, Serial}, {"linux", false, Serial}, {"ansi", true, Serial},
		{"xterm-256color", true, Rich}, {"xterm", false, Serial}, {"tmux-256color", true, Rich}, {"screen", true, Rich},
		{"st52", true, Serial},
	}
	for _, tt := range tests {
		if got := kindOf(tt.term, tt.pty); got != tt.want {
			t.Errorf("kindOf(%q, pty %v) = %v, want %v", tt.term, tt.pty, got, tt.want)
		}
	}
}

func TestColourAndGlyphs(t *testing.T) {
	tests := []struct {
		environ []string
		ascii   bool
		profile colorprofile.Profile
	}{
		{[]string{"TERM=xterm-256color", "LANG=en_GB.UTF-8"}, false, colorprofile.ANSI},
		{[]string{"TERM=xterm", "LANG=en_GB.UTF-8", "LC_ALL=C"}, true, colorprofile.ANSI},
		{[]string{"TERM=xterm", "NO_COLOR=yes"}, true, colorprofile.ASCII},
		{[]string{"TERM=vt220", "LANG=en_GB.UTF-8"}, true, colorprofile.ASCII},
		{[]string{"TERM=linux"}, true, colorprofile.ANSI},
		{[]string{"TERM=xterm", "TERM=vt100"}, true, colorprofile.ASCII},
	}
	for _, tt := range tests {
		_, tty := openPty(t)
		l := Open(tty, tty, tt.environ)
		if l.ASCII() != tt.ascii || l.Profile() != tt.profile {
			t.Errorf("%v: ASCII %v, profile %v; want %v, %v", tt.environ, l.ASCII(), l.Profile(), tt.ascii, tt.profile)
		}
	}
}

func openPty(t *testing.T) (ptmx, tty *os.File) {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ptmx.Close(); tty.Close() })
	return ptmx, tty
}

func TestFindSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer string // to the cursor question; blank for a mute terminal
		typed  string
		width  int
		height int
	}{
		{"answers", "\x1b[30;100R", "", 100, 30},
		{"typed ahead on both sides", "ab\x1b[24;80Rc", "abc", 80, 24},
		{"mute", "", "", 0, 0},
		{"implausible", "\x1b[1;1R", "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ptmx, tty := openPty(t)
			before := attributes(t, tty)
			go func() {
				buf := make([]byte, 256)
				for seen := ""; !strings.Contains(seen, "\x1b[6n"); {
					n, err := ptmx.Read(buf)
					if err != nil {
						return
					}
					seen += string(buf[:n])
				}
				ptmx.WriteString(tt.answer)
			}()
			typed, err := Open(tty, tty, []string{"TERM=vt100"}).FindSize()
			if err != nil {
				t.Fatal(err)
			}
			w, h, _ := windowSize(tty)
			if string(typed) != tt.typed || w != tt.width || h != tt.height {
				t.Errorf("typed %q, size %dx%d; want %q, %dx%d", typed, w, h, tt.typed, tt.width, tt.height)
			}
			if diff := cmp.Diff(before, attributes(t, tty)); diff != "" {
				t.Errorf("terminal attributes changed:\n%s", diff)
			}
		})
	}
}

func attributes(t *testing.T, tty *os.File) unix.Termios {
	t.Helper()
	a, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *a
}

// recorder is a model that keeps its keys and quits on 'q'.
type recorder struct {
	keys  []string
	ready chan struct{}
}

func (r *recorder) Init() tea.Cmd { return nil }

func (r *recorder) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if r.ready != nil {
			close(r.ready)
			r.ready = nil
		}
	case tea.KeyPressMsg:
		r.keys = append(r.keys, msg.String())
		if msg.String() == "q" {
			return r, tea.Quit
		}
	case tea.PasteMsg:
		r.keys = append(r.keys, "<"+msg.Content+">")
	}
	return r, nil
}

func (r *recorder) View() tea.View {
	v := tea.NewView("hello\n" + strings.Join(r.keys, " "))
	v.AltScreen = true
	v.DisableBracketedPasteMode = true
	return v
}

type running struct {
	ptmx, tty *os.File
	model     *recorder
	screen    *bytes.Buffer
	hungUp    chan struct{} // closed when read has read all
	done      chan error
	before    unix.Termios
}

func start(t *testing.T, typed string) *running {
	t.Helper()
	r := &running{screen: &bytes.Buffer{}, hungUp: make(chan struct{}), done: make(chan error, 1)}
	r.ptmx, r.tty = openPty(t)
	r.before = attributes(t, r.tty)
	ready := make(chan struct{})
	r.model = &recorder{ready: ready}
	go func() {
		_, err := Open(r.tty, r.tty, []string{"TERM=vt220"}).Run(context.Background(), r.model, []byte(typed))
		r.done <- err
	}()
	select {
	case <-ready:
	case err := <-r.done:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("the program did not start")
	}
	return r
}

func (r *running) read() {
	defer close(r.hungUp)
	buf := make([]byte, 4096)
	for {
		n, err := r.ptmx.Read(buf)
		r.screen.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the program did not end")
		return nil
	}
}

func TestRunKeepsKeysWhole(t *testing.T) {
	const (
		slow = 60 * time.Millisecond // longer than Bubble Tea waits by itself
		late = 150 * time.Millisecond
	)
	for {
		r := start(t, "ab\x1b[A")
		go r.read()
		slowest := time.Duration(0)
		for _, b := range []byte("\x1b[Bq") {
			began := time.Now()
			time.Sleep(slow)
			r.ptmx.Write([]byte{b})
			slowest = max(slowest, time.Since(began))
		}
		if err := r.wait(t); err != nil {
			t.Fatal(err)
		}
		if slowest > late {
			t.Logf("this host was busy for %v, longer than a key may take; once more", slowest)
			continue
		}
		if diff := cmp.Diff([]string{"a", "b", "up", "down", "q"}, r.model.keys); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(r.before, attributes(t, r.tty)); diff != "" {
			t.Errorf("terminal attributes changed:\n%s", diff)
		}
		return
	}
}

func TestRunSendsOnlyWhatAVT100Knows(t *testing.T) {
	r := start(t, "")
	go r.read()
	r.ptmx.WriteString("xyzq")
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	r.tty.Close()
	<-r.hungUp
	for _, bad := range []string{"\x1b[?1", "\x1b[?20", "\x1b[>", "\x1b[<", "\x1b]", "$p"} {
		if strings.Contains(r.screen.String(), bad) {
			t.Errorf("sent %q in %q", bad, r.screen.String())
		}
	}
}

func TestRunEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, r *running)
		want error
	}{
		{"hang-up", func(t *testing.T, r *running) { go r.read(); signalSelf(t, syscall.SIGHUP) }, ErrLineLost},
		{"terminated", func(t *testing.T, r *running) { go r.read(); signalSelf(t, syscall.SIGTERM) }, nil},
		{"line closed", func(t *testing.T, r *running) { r.ptmx.Close() }, ErrLineLost},
		{"terminated on a blocked line", func(t *testing.T, r *running) {
			// Nobody reads: fill the line until it takes no more.
			for writable(r.tty, 0) {
				unix.Write(int(r.tty.Fd()), []byte("x"))
			}
			r.ptmx.WriteString("abc")
			time.Sleep(200 * time.Millisecond)
			signalSelf(t, syscall.SIGTERM)
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, "")
			tt.end(t, r)
			err := r.wait(t)
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Run: %v, want %v", err, tt.want)
			}
			if tt.name != "line closed" {
				if diff := cmp.Diff(r.before, attributes(t, r.tty)); diff != "" {
					t.Errorf("terminal attributes changed:\n%s", diff)
				}
			}
		})
	}
}

func signalSelf(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}
