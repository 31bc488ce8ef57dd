package tui

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"connsync/lab/vt102"
	"connsync/netcheck"
	"connsync/tui/console"
)

// serial is the real program on a pseudo-terminal as on a serial line, with an
// emulator and a byte counter at the other end.
type serial struct {
	t     *testing.T
	model *Model
	ptmx  *os.File
	done  chan error

	mu     sync.Mutex
	screen *vt102.Screen
	sent   int
	stream []byte
	news   chan struct{}
}

func startSerial(t *testing.T, term string, w, h int, options ...func(*Options)) *serial {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)}); err != nil {
		t.Fatal(err)
	}
	lists := make(chan []netcheck.Interface, 1)
	lists <- appliance()
	o := Options{Saved: savedSettings(), Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Effects: Effects{Interfaces: &watched{lists: lists}}}
	for _, c := range options {
		c(&o)
	}
	s := &serial{t: t, model: New(o), ptmx: ptmx, done: make(chan error, 1), screen: vt102.New(w, h), news: make(chan struct{}, 1)}
	go s.read()
	go func() {
		_, err := console.Open(tty, tty, []string{"TERM=" + term}).Run(context.Background(), s.model, nil)
		s.done <- err
	}()
	t.Cleanup(func() {
		_, _ = ptmx.WriteString("\x03\x03")
		select {
		case err := <-s.done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the program did not end")
		}
		tty.Close()
		ptmx.Close()
		close(lists)
	})
	return s
}

func (s *serial) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.ptmx.Read(buf)
		s.mu.Lock()
		_, _ = s.screen.Write(buf[:n])
		s.sent += n
		s.stream = append(s.stream, buf[:n]...)
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// shows waits until the screen contains text, or with a leading "-" does not.
func (s *serial) shows(text string) {
	s.t.Helper()
	want := true
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		text, want = rest, false
	}
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		screen := s.screen.String()
		x, y := s.screen.Cursor()
		s.mu.Unlock()
		screen += fmt.Sprintf("[cursor %d,%d]", x, y)
		if strings.Contains(screen, text) == want {
			return
		}
		select {
		case <-s.news:
		case <-limit:
			s.t.Fatalf("the screen never shows (or stops showing) %q:\n%s", text, screen)
		}
	}
}

// cost types keys, waits for what they show and returns the bytes it took.
func (s *serial) cost(keys, shows string) int {
	s.t.Helper()
	s.mu.Lock()
	before := s.sent
	s.mu.Unlock()
	if _, err := s.ptmx.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
	s.shows(shows)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent - before
}

// What a key costs on a serial line, against the targets that make 9600 baud
// pleasant. A focus move is allowed the hint that changes with the field.
func TestBytesOnASerialLine(t *testing.T) {
	for _, term := range []string{"vt100", "vt220", "linux"} {
		t.Run(term, func(t *testing.T) {
			s := startSerial(t, term, 80, 24)
			first := s.cost("", "[cursor 26,2]")
			s.shows("no default route")
			check := func(what string, got, most int) {
				t.Helper()
				t.Logf("%-34s %4d bytes, at most %d", what, got, most)
				if got > most {
					t.Errorf("%s costs %d bytes, more than %d", what, got, most)
				}
			}
			check("first frame", first, 900)
			check("tab to the interface", s.cost("\t", "[cursor 29,3]"), 28+len("Interface Name: for sync alone. Enter lists them, or type a name."))
			s.cost("\t\t\t", "[cursor 29,6]")
			s.cost("1", "[cursor 30,6]")
			s.shows("* 37801")
			for i, c := range "2345" {
				check("a typed character", s.cost(string(c), fmt.Sprintf("[cursor %d,6]", 31+i)), 1)
			}
			s.shows("* 378012345")
			for i := range 4 {
				check("backspace", s.cost("\x7f", fmt.Sprintf("[cursor %d,6]", 33-i)), 3)
			}
			s.cost("\x7f", "[cursor 29,6]")
			s.shows("-* 3780")
			check("left", s.cost("\x1b[D", "[cursor 28,6]"), 4)
			check("help", s.cost("?", "Help: Port"), 900)
			check("and back", s.cost("\r", "[cursor 28,6]"), 900)
			check("an error appears", s.cost("\x1b[C99\t", "! port \"378099\""), 260)
		})
	}
}

// A focus move, with the bytes of the hint counted out: nothing of the fields
// is redrawn but the mark.
func TestFocusMoveRedrawsTheMarkAlone(t *testing.T) {
	s := startSerial(t, "vt100", 80, 24)
	s.shows("no default route")
	for i := 1; i < len(s.model.form.fields); i++ {
		at := fmt.Sprintf(",%d]", i+2)
		got := s.cost("\t", at)
		hint := len(s.model.form.fields[i].label) + 2 + len(s.model.form.fields[i].hint) + len("\x1b[11;4H\x1b[K")
		t.Logf("to %-20s %3d bytes, %3d without its hint", s.model.form.fields[i].label, got, got-hint)
		if got-hint > 24 {
			t.Errorf("the move to %s costs %d bytes beside its hint", s.model.form.fields[i].label, got-hint)
		}
	}
}

func TestPickerOnASerialLine(t *testing.T) {
	s := startSerial(t, "vt100", 80, 24)
	s.shows("no default route")
	t.Logf("picker opens: %d bytes", s.cost("\t\r", "10 interfaces"))
	s.shows(" >   eth1")
	for _, name := range []string{"eth2", "eth3"} {
		if got := s.cost("\x1b[B", " >   "+name); got > 24 && name == "eth2" {
			t.Errorf("a move in the picker costs %d bytes", got)
		}
	}
	s.cost("\x1b", "[cursor 29,3]")
}

// Nothing leaves the program on a serial line that a VT100 does not know, and
// no byte outside ASCII, whatever is shown.
func TestStreamIsPlain(t *testing.T) {
	s := startSerial(t, "vt100", 80, 24)
	s.shows("no default route")
	s.cost("\t\t\t\x15", "[cursor 25,5]")
	s.cost("fd00::1\xe6\x97\xa5\xe6\x9c\xac\t", "the address contains")
	s.cost("\x1b[A?", "Help: Peer IP")
	s.cost("\r\x1b[A\x1b[A\r", "10 interfaces")
	s.cost("sync", "alias: sync hidden")
	s.cost("\x03", "Leave without saving")
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.stream {
		if b > '~' || b < ' ' && !strings.ContainsRune("\x1b\r\n\t\b", rune(b)) {
			t.Fatalf("byte %#x in %q", b, s.stream[max(0, i-20):min(len(s.stream), i+20)])
		}
	}
	for _, bad := range []string{"\x1b[?1049", "\x1b[?200", "\x1b[?202", "\x1b[>", "\x1b[<", "\x1b]", "\x1bP", "\x1b[1 q", "\x1b[2 q", "$p"} {
		if strings.Contains(string(s.stream), bad) {
			t.Errorf("sent %q", bad)
		}
	}
}
