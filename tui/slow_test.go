package tui

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"connsync/lab/tty"
	"connsync/lab/vt102"
	"connsync/netcheck"
	"connsync/tui/console"
)

// stillTime is longer than anything is put off.
const stillTime = 400 * time.Millisecond

// slowLine is the program at the end of a line of 9600 baud.
type slowLine struct {
	*tty.Terminal
	t    *testing.T
	line *os.File // the program's end
}

func startSlow(t *testing.T) *slowLine {
	t.Helper()
	ptmx, line, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(line, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	lists := make(chan []netcheck.Interface, 1)
	lists <- appliance()
	m := New(Options{Saved: savedSettings(), Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Effects: Effects{Interfaces: &watched{lists: lists}}})
	done := make(chan error, 1)
	go func() {
		_, err := console.Open(line, line, []string{"TERM=vt100"}).Run(context.Background(), m, nil)
		done <- err
	}()
	s := &slowLine{tty.NewTerminal(ptmx, 80, 24, 960), t, line}
	t.Cleanup(func() {
		s.keys("\x03\x03")
		if err := <-done; err != nil {
			t.Error(err)
		}
		line.Close()
		ptmx.Close()
		s.Close()
		close(lists)
	})
	s.sees("no default route", "ctrl+c quit")
	return s
}

func (s *slowLine) keys(keys string) {
	s.t.Helper()
	if err := s.Type(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *slowLine) sees(texts ...string) {
	s.t.Helper()
	if err := s.See(2*time.Minute, texts...); err != nil {
		s.t.Fatal(err)
	}
}

// redrawn draws everything again and fails unless that changes nothing.
func (s *slowLine) redrawn() {
	s.t.Helper()
	s.Quiet(stillTime, 2*time.Minute)
	shown := s.Shows()
	before := s.Sent()
	s.keys("\x0c")
	for s.Sent() < before+300 {
		time.Sleep(5 * time.Millisecond)
	}
	s.Quiet(stillTime, 2*time.Minute)
	if again := s.Shows(); again != shown {
		s.t.Errorf("the screen shows\n%s\nand drawn again\n%s", shown, again)
	}
}

// Keys that come faster than their screens can be sent are all obeyed, and the
// screen is right in the end.
func TestKeysOnASlowLine(t *testing.T) {
	t.Parallel()
	const address = "fd00:1234:5678:9abc:def0:1234:5678:9abc/64"
	round := strings.Repeat("\t", 11)
	for name, tt := range map[string]struct {
		keys, sees  []string
		then, place string // once it was drawn again
	}{
		"typed and mended": {
			// Twenty times round, back to Peer IP.
			[]string{"\t\t\t\x15" + address, strings.Repeat(round, 20), "\x7f\x7f\x7f/48" + strings.Repeat("\x1b[A", 3)},
			[]string{"> Enable Sync", strings.TrimSuffix(address, "64") + "48"},
			"\t\t", "> Current IP",
		},
		"moved": {
			// The tenth of eleven places.
			[]string{strings.Repeat("\x1b[B", 2) + strings.Repeat(round, 13) + strings.Repeat("\t", 7)},
			[]string{"> [ Status ]"},
			"\t", "> [ Quit ]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSlow(t)
			for _, keys := range tt.keys {
				s.keys(keys)
			}
			s.sees(tt.sees...)
			s.redrawn()
			s.keys(tt.then)
			s.sees(tt.place)
			s.redrawn()
			if err := vt102.Foreign(s.Stream()); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the kernel writes across the screen goes with Ctrl+L.
func TestRedrawOverAForeignMessage(t *testing.T) {
	t.Parallel()
	s := startSlow(t)
	s.keys("\t\t")
	s.sees("> Current IP")
	s.Quiet(stillTime, 2*time.Minute)
	clean := s.Shows()
	const message = "[  123.456789] eth1: link is not ready"
	if _, err := s.line.WriteString("\r\n" + message + "\r\n\x0e\x1b[4h\x1b[5;9r"); err != nil {
		t.Fatal(err)
	}
	s.sees(message)
	s.keys("\x0c")
	s.sees("-"+message, "> Current IP", "ctrl+c quit")
	s.Quiet(stillTime, 2*time.Minute)
	if got := s.Shows(); got != clean {
		t.Errorf("after ctrl+l the screen shows\n%s\nand before the message\n%s", got, clean)
	}
	s.keys("\t9")
	s.sees("> Peer IP", "10.0.0.102/249")
}
