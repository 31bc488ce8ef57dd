package console

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// CR, LF and CR LF are one Enter each, also in what was typed ahead.
func TestRunHasOneEnter(t *testing.T) {
	r := start(t, "a\r\nb\n")
	go r.read()
	for _, s := range []string{"\n", "c\r", "\n", "d\r\r", "\n\n", "q"} {
		r.ptmx.WriteString(s)
		time.Sleep(20 * time.Millisecond)
	}
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	want := []string{"a", "enter", "b", "enter", "enter", "c", "enter", "d", "enter", "enter", "enter", "q"}
	if diff := cmp.Diff(want, r.model.keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// A paste whose mark of the end was lost on the line ends with Ctrl+C, with a
// pause and at its size, and then keys are keys. Keys that Bubble Tea does not
// know by itself arrive too.
func TestRunDecodesItsInput(t *testing.T) {
	t.Parallel()
	const paste = "\x1b[200~10.0.0.1\x1b[201"
	long := "\x1b[200~" + strings.Repeat("x", 9000)
	for _, tt := range []struct {
		name string
		sent []string // with a pause of a person between them
		want []string
	}{
		{"Ctrl+C", []string{paste + "\x03q"}, []string{"<10.0.0.1>", "ctrl+c", "q"}},
		{"a pause", []string{paste, "q"}, []string{"<10.0.0.1>", "q"}},
		{"its size", []string{long + "\x03q"}, []string{"<" + strings.Repeat("x", 8192) + ">", "ctrl+c", "q"}},
		{"F1 of the Linux console", []string{"\x1b[[A", "\x1bOp\x1bOMq"}, []string{"f1", "0", "enter", "q"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, "")
			go r.read()
			for i, s := range tt.sent {
				if i > 0 {
					time.Sleep(1300 * time.Millisecond)
				}
				r.ptmx.WriteString(s)
			}
			if err := r.wait(t); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.model.keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// What was typed before the program ran, into a line that was not raw, is not
// lost.
func TestRunTakesWhatWasTypedBefore(t *testing.T) {
	t.Parallel()
	ptmx, tty := openPty(t)
	ptmx.WriteString("ab\rc")
	r := &running{ptmx: ptmx, tty: tty, screen: &bytes.Buffer{}, hungUp: make(chan struct{}), done: make(chan error, 1), model: &recorder{}}
	go r.read()
	go func() {
		_, err := Open(tty, tty, []string{"TERM=vt100"}).Run(context.Background(), r.model, nil)
		r.done <- err
	}()
	time.Sleep(200 * time.Millisecond)
	ptmx.WriteString("q")
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "enter", "c", "q"}, r.model.keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// sized is a model that tells its sizes, and shows them.
type sized struct {
	sizes chan tea.WindowSizeMsg
	last  tea.WindowSizeMsg
}

func (s *sized) Init() tea.Cmd { return nil }

func (s *sized) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.last = msg
		s.sizes <- msg
	case tea.KeyPressMsg:
		return s, tea.Quit
	}
	return s, nil
}

func (s *sized) View() tea.View { return tea.NewView(strings.Repeat("x", s.last.Width)) }

// watched collects what a terminal is sent.
type watched struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *watched) read(f *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		w.mu.Lock()
		w.text.Write(buf[:n])
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal(what)
		}
	}
}

// A new size is taken while the program runs; after a stop, from which a shell
// returns to the terminal, it is raw again and drawn again.
func TestRunFollowsItsTerminal(t *testing.T) {
	ptmx, tty := openPty(t)
	before := attributes(t, tty)
	if err := setWindowSize(tty, 90, 30); err != nil {
		t.Fatal(err)
	}
	m := &sized{sizes: make(chan tea.WindowSizeMsg, 16)}
	var seen watched
	go seen.read(ptmx)
	done := make(chan error, 1)
	go func() {
		_, err := Open(tty, tty, []string{"TERM=vt100"}).Run(context.Background(), m, nil)
		done <- err
	}()
	for _, want := range []tea.WindowSizeMsg{{Width: 90, Height: 30}, {Width: 500, Height: 200}, {Width: 50, Height: 20}} {
		size := pty.Winsize{Cols: uint16(want.Width), Rows: uint16(want.Height)}
		if want.Width == 500 { // a false size is drawn as far as a true one may go
			size = pty.Winsize{Cols: 65535, Rows: 65535}
		}
		if want.Width != 90 {
			if err := pty.Setsize(ptmx, &size); err != nil {
				t.Fatal(err)
			}
			signalSelf(t, syscall.SIGWINCH)
		}
		eventually(t, "the size does not arrive", func() bool { return <-m.sizes == want })
		eventually(t, "nothing is drawn for it", func() bool {
			return strings.HasSuffix(strings.TrimRight(seen.String(), "\b"), "\x1b[2J"+strings.Repeat("x", want.Width))
		})
	}

	raw := attributes(t, tty)
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, &before); err != nil {
		t.Fatal(err)
	}
	drawn := len(seen.String())
	signalSelf(t, syscall.SIGCONT)
	eventually(t, "it is not drawn again", func() bool { return strings.HasSuffix(seen.String()[drawn:], strings.Repeat("x", 50)) })
	if diff := cmp.Diff(raw, attributes(t, tty)); diff != "" {
		t.Errorf("the terminal is not raw again:\n%s", diff)
	}
	ptmx.WriteString("q")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, attributes(t, tty)); diff != "" {
		t.Errorf("terminal attributes changed:\n%s", diff)
	}
}

// The size is the kernel's, else that of COLUMNS and LINES, else a VT100's.
func TestSize(t *testing.T) {
	for _, tt := range []struct {
		kernel        [2]int
		environ       []string
		width, height int
	}{
		{[2]int{100, 40}, []string{"COLUMNS=90", "LINES=30"}, 100, 40},
		{[2]int{65535, 65535}, nil, 500, 200},
		{[2]int{5000, 24}, nil, 500, 24},
		{[2]int{0, 0}, []string{"COLUMNS=90", "LINES=30"}, 90, 30},
		{[2]int{0, 0}, []string{"COLUMNS=many", "LINES=-3"}, 80, 24},
		{[2]int{0, 0}, []string{"COLUMNS=4000", "LINES=4000"}, 80, 24},
		{[2]int{0, 0}, nil, 80, 24},
	} {
		_, tty := openPty(t)
		if err := setWindowSize(tty, tt.kernel[0], tt.kernel[1]); err != nil {
			t.Fatal(err)
		}
		w, h := Open(tty, tty, append(tt.environ, "TERM=vt100")).size()
		if w != tt.width || h != tt.height {
			t.Errorf("kernel %v, %v: %dx%d, want %dx%d", tt.kernel, tt.environ, w, h, tt.width, tt.height)
		}
	}
}

// A line that takes no output at the start does not hold up the program for
// longer than a mute terminal does.
func TestFindSizeOnABlockedLine(t *testing.T) {
	t.Parallel()
	ptmx, tty := openPty(t)
	ptmx.WriteString("\x13") // as Ctrl+S
	eventually(t, "the line is not stopped", func() bool { return !writable(tty, 0) })
	before := attributes(t, tty)
	done := make(chan error, 1)
	go func() {
		_, err := Open(tty, tty, []string{"TERM=vt100"}).FindSize()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it still waits for the line")
	}
	if diff := cmp.Diff(before, attributes(t, tty)); diff != "" {
		t.Errorf("terminal attributes changed:\n%s", diff)
	}
}

// The operator can take away, and not give, what a terminal is known to take.
func TestRestrict(t *testing.T) {
	_, tty := openPty(t)
	for _, tt := range []struct {
		environ           []string
		ascii, colourless bool
		isASCII           bool
		profile           colorprofile.Profile
	}{
		{[]string{"TERM=xterm", "LANG=C.UTF-8"}, true, false, true, colorprofile.ANSI},
		{[]string{"TERM=xterm", "LANG=C.UTF-8"}, false, true, false, colorprofile.ASCII},
		{[]string{"TERM=vt100", "LANG=C.UTF-8"}, false, false, true, colorprofile.ASCII},
	} {
		l := Open(tty, tty, tt.environ)
		l.Restrict(tt.ascii, tt.colourless)
		if l.ASCII() != tt.isASCII || l.Profile() != tt.profile {
			t.Errorf("%v, ascii %v, colourless %v: ASCII %v, profile %v", tt.environ, tt.ascii, tt.colourless, l.ASCII(), l.Profile())
		}
	}
}

// breaking is a model that panics where it is told to.
type breaking struct{ where string }

func (b *breaking) at(where string) {
	if b.where == where {
		panic("it broke in " + where)
	}
}

func (b *breaking) Init() tea.Cmd {
	b.at("Init")
	return tea.Batch(tea.Sequence(func() tea.Msg { b.at("a command"); return nil }))
}

func (b *breaking) Update(tea.Msg) (tea.Model, tea.Cmd) {
	b.at("Update")
	return b, nil
}

func (b *breaking) View() tea.View {
	b.at("View")
	return tea.NewView("hello")
}

// A panic ends the program with the terminal as it was, so that its text can be
// read.
func TestRunOutlivesAPanic(t *testing.T) {
	for _, where := range []string{"Init", "Update", "View", "a command"} {
		t.Run(where, func(t *testing.T) {
			ptmx, tty := openPty(t)
			before := attributes(t, tty)
			go new(watched).read(ptmx)
			done := make(chan error, 1)
			go func() {
				_, err := Open(tty, tty, []string{"TERM=vt100"}).Run(context.Background(), &breaking{where}, nil)
				done <- err
			}()
			select {
			case err := <-done:
				var crash *CrashError
				if !errors.As(err, &crash) || !strings.Contains(crash.Error(), "internal error: it broke in "+where) {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the program did not end")
			}
			if diff := cmp.Diff(before, attributes(t, tty)); diff != "" {
				t.Errorf("terminal attributes changed:\n%s", diff)
			}
		})
	}
}

// A view that panics ends the program though nothing else happens.
func TestPanicInAViewEndsTheProgram(t *testing.T) {
	_, tty := openPty(t)
	told := make(chan struct{})
	s := &stage{
		model: &breaking{"View"}, width: 80, height: 24,
		painter: newPainter(Open(tty, tty, []string{"TERM=vt100"}), func() {}),
		quit:    func() { close(told) },
	}
	s.View()
	<-told
	s.View() // shows nothing more, and does not tell again
	if err := s.err(); err == nil || !strings.Contains(err.Error(), "it broke in View") {
		t.Errorf("it ends with %v", err)
	}
}

// The end of the input ends the program, also where the output is another
// line, which lives.
func TestRunEndsWithItsInput(t *testing.T) {
	far, in := openPty(t)
	ptmx, out := openPty(t)
	go new(watched).read(ptmx)
	ready := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := Open(in, out, []string{"TERM=vt100"}).Run(context.Background(), &recorder{ready: ready}, nil)
		done <- err
	}()
	<-ready
	far.Close()
	select {
	case err := <-done:
		if !errors.Is(err, ErrLineLost) {
			t.Errorf("Run: %v, want %v", err, ErrLineLost)
		}
	case <-time.After(time.Minute):
		t.Fatal("the program did not end")
	}
}
