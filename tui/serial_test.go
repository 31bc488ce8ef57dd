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
	o := Options{Saved: savedSettings(), Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Theme: ReverseTheme(), Effects: Effects{Interfaces: &watched{lists: lists}}}
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
		case <-time.After(2 * time.Minute):
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
	limit := time.After(2 * time.Minute)
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

// cost types keys, waits for the first byte that they make and for what they show, and
// then until nothing more comes, and returns the bytes that it took.
func (s *serial) cost(keys, shows string) int {
	s.t.Helper()
	before := s.count()
	if _, err := s.ptmx.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
	for limit := time.Now().Add(2 * time.Minute); keys != "" && s.count() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			s.t.Fatalf("%q shows nothing", keys)
		}
	}
	s.shows(shows)
	s.quiet()
	return s.count() - before
}

// quiet waits until nothing was sent for longer than anything is put off, and
// for longer than keys count as held. Where the host wakes this test late, it may wake the
// program late too.
func (s *serial) quiet() {
	s.t.Helper()
	const still = 300 * time.Millisecond
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); {
		before, began := s.count(), time.Now()
		time.Sleep(still)
		if s.count() == before && time.Since(began) < still*5/4 {
			return
		}
	}
	s.t.Fatal("the line is never still, or the host never wakes this test in time")
}

func (s *serial) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (s *serial) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// plainStream fails where something left that a VT100 does not know.
func (s *serial) plainStream() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := vt102.Foreign(s.stream); err != nil {
		s.t.Error(err)
	}
}

// bytesOfKeys are the chapters of TestBytesOnASerialLine, each on a line of its own.
var bytesOfKeys = map[string]func(*serial){
	"moves": (*serial).moves, "typing": (*serial).typing, "mending": (*serial).mending,
	"messages": (*serial).messages, "advanced": (*serial).advanced,
}

// What a key costs on a serial line, against the targets that make 9600 baud
// pleasant. A focus move and an error are allowed the text that changes.
func TestBytesOnASerialLine(t *testing.T) {
	t.Parallel()
	for _, term := range []string{"vt100", "vt220", "ansi"} {
		for name, cost := range bytesOfKeys {
			t.Run(term+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := startSerial(t, term, 80, 24)
				s.shows("no default route")
				s.cost("", "[cursor 26,2]")
				cost(s)
				s.plainStream()
			})
		}
	}
}

// check fails where got bytes are more than most.
func (s *serial) check(what string, got, most int) {
	s.t.Helper()
	s.t.Logf("%-34s %4d bytes, at most %d", what, got, most)
	if got > most {
		s.t.Errorf("%s costs %d bytes, more than %d", what, got, most)
	}
}

// moves goes from the first field to the last button.
func (s *serial) moves() {
	first := s.count()
	s.check("first frame", first, 900)
	s.check("first frame against the minimum", first, vt102.Least("", s.shown())*12/10)
	for i, f := range s.model.form.fields[1:] {
		before := s.shown()
		got := s.cost("\t", fmt.Sprintf(",%d]", i+3))
		hint := vt102.Least(lineOf(before, 10), lineOf(s.shown(), 10))
		s.check("to "+f.Label+", beside its hint of "+fmt.Sprint(hint), got-hint, 24)
	}
	s.cost("\t", "> [ Save Changes ]")
	for _, to := range []string{"Check", "Status", "Quit"} { // no row to go to by the margin
		before := s.shown()
		got := s.cost("\t", "> [ "+to+" ]")
		s.check("to the button "+to, got-vt102.Least(lineOf(before, 10), lineOf(s.shown(), 10)), 30)
	}
	s.cost("\x1b[A", "[cursor 31,8]")
	s.cost("\x1b[A\x1b[A", "[cursor 29,6]")
}

// typing types and deletes at the end of the port.
func (s *serial) typing() {
	s.cost("\t\t\t\t", "[cursor 29,6]")
	s.cost("1", "* 37801")
	for i, c := range "2345" {
		s.check("a typed character", s.cost(string(c), fmt.Sprintf("[cursor %d,6]", 31+i)), 1)
	}
	for i := range 4 {
		s.check("backspace", s.cost("\x7f", fmt.Sprintf("[cursor %d,6]", 33-i)), 3)
	}
	s.cost("\x7f", "-* 3780")
}

// mending types and deletes in the middle of the port.
func (s *serial) mending() {
	s.cost("\t\t\t\t", "[cursor 29,6]")
	s.cost("1", "* 37801") // of keys at once, what is beside the last may be drawn with the next
	s.cost("\x7f", "-* 3780")
	s.check("left", s.cost("\x1b[D", "[cursor 28,6]"), 1)
	s.check("typed in the middle", s.cost("9", "37890"), 12)
	s.check("deleted in the middle", s.cost("\x7f", "-37890"), 13)
	s.check("nothing", s.cost("", ""), 0)
}

// messages opens and leaves the help, and makes an error and mends it.
func (s *serial) messages() {
	s.cost("\t\t\t\t\x1b[D", "[cursor 28,6]")
	s.check("help", s.cost("?", "Help: Port"), 600)
	s.check("and back", s.cost("\r", "[cursor 28,6]"), 600)
	// One key at a time: of two at once the program may draw one frame or two.
	s.cost("\x1b[C", "[cursor 29,6]")
	s.cost("9", "* 37809")
	s.cost("9", "* 378099")
	s.check("an error appears", s.cost("\t", "! port \"378099\""), 212)
	s.cost("\x1b[A", ",6]")
	s.check("an error goes", s.cost("\x7f", "-! port"), 32)
	s.cost("\x7f", "-* 37809")
	s.check("nothing", s.cost("", ""), 0)
}

// advanced opens the advanced page, from the port, and draws the form again.
func (s *serial) advanced() {
	s.cost("\t\t\t\t", "[cursor 29,6]")
	before := s.shown()
	opens := s.cost("\x0f", "Transport and mode")
	s.check("the advanced page opens", opens, vt102.Least(before, s.shown())*12/10)
	for range 3 {
		before = s.shown()
		got, hint := s.cost("\t", ""), 0
		for y := 16; y < 18; y++ {
			hint += vt102.Least(lineOf(before, y), lineOf(s.shown(), y))
		}
		s.check("to a field of it, beside its hint of "+fmt.Sprint(hint), got-hint, 28) // two lines of it
	}
	s.cost("\x1b[A", "")
	s.cost("\x1b[A", "[cursor 35,5]")
	s.check("a choice of it changes", s.cost(" ", "* (*) On"), 48)
	s.cost("\x12", "(*) Off")
	s.cost("\x0f", "Enable Sync")
	s.check("drawn again", s.cost("\x0c", ""), vt102.Least("", s.shown())*12/10)
}

// lineOf is one line of a screen.
func lineOf(screen string, y int) string { return strings.Split(screen, "\n")[y] }

func TestPickerOnASerialLine(t *testing.T) {
	t.Parallel()
	s := startSerial(t, "vt100", 80, 24)
	s.shows("no default route")
	s.quiet()
	before := s.shown()
	opens := s.cost("\t\r", "10 interfaces")
	least := vt102.Least(before, s.shown())
	t.Logf("the picker opens: %d bytes, at least %d", opens, least)
	if opens > least*12/10+24 {
		t.Errorf("the picker opens with %d bytes", opens)
	}
	s.shows(" >   eth1")
	for _, name := range []string{"eth2", "eth3"} {
		got := s.cost("\x1b[B", " >   "+name)
		if t.Logf("a move in the picker to %s: %d bytes", name, got); got > 24 && name == "eth2" {
			t.Errorf("a move in the picker costs %d bytes", got)
		}
	}
	s.cost("\x1b", "[cursor 29,3]")
}

// Nothing leaves the program on a serial line that a VT100 does not know, and
// no byte outside ASCII, whatever is shown.
func TestStreamIsPlain(t *testing.T) {
	t.Parallel()
	s := startSerial(t, "vt100", 80, 24)
	s.shows("no default route")
	s.cost("\t\t\t\x15", "[cursor 25,5]")
	s.cost("fd00::1\xe6\x97\xa5\xe6\x9c\xac\t", "the address contains")
	s.cost("\x1b[A?", "Help: Peer IP")
	s.cost("\r\x1b[A\x1b[A\r", "10 interfaces")
	s.cost("sync", "alias: sync hidden")
	s.cost("\x03", "Leave without saving")
	s.plainStream()
}
