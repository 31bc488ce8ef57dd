package tui

import (
	"bytes"
	"io"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/exp/golden"
	"github.com/charmbracelet/x/exp/teatest/v2"

	"connsync/conntrackd"
	"connsync/lab/vt102"
	"connsync/netcheck"
)

// story is a whole program under teatest. What it sent is shown by a terminal
// emulator, and the screen at the end is compared with a file: the stream
// itself depends on which keys fell into one frame.
type story struct {
	*teatest.TestModel
	t             *testing.T
	width, height int
}

func tell(t *testing.T, w, h int, options ...func(*Options)) *story {
	t.Helper()
	lists := make(chan []netcheck.Interface)
	t.Cleanup(func() { close(lists) })
	o := Options{Saved: savedSettings(), Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Effects: Effects{Interfaces: &watched{lists: lists}}}
	for _, c := range options {
		c(&o)
	}
	m := New(o)
	t.Cleanup(m.cancel)
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(w, h), teatest.WithProgramOptions(
		tea.WithEnvironment([]string{"TERM=vt100", "SSH_TTY=x"}), tea.WithColorProfile(colorprofile.ASCII)))
	s := &story{tm, t, w, h}
	tm.Send(interfacesListed{run: 1, list: appliance(), next: lists})
	return s
}

func (s *story) press(keys ...string) *story {
	for _, k := range keys {
		s.Send(keyOf(k))
	}
	return s
}

func (s *story) types(text string) *story {
	s.Type(text)
	return s
}

func (s *story) resizes(w, h int) *story {
	s.width, s.height = w, h
	s.Send(tea.WindowSizeMsg{Width: w, Height: h})
	return s
}

// ends stops the program and compares the screen that it leaves.
func (s *story) ends() {
	s.t.Helper()
	if err := s.Quit(); err != nil {
		s.t.Fatal(err)
	}
	stream, err := io.ReadAll(s.FinalOutput(s.t, teatest.WithFinalTimeout(2*time.Minute)))
	if err != nil {
		s.t.Fatal(err)
	}
	golden.RequireEqual(s.t, screenOf(stream, s.width, s.height))
}

// screenOf shows a stream. Without a terminal Bubble Tea leaves CR LF to the
// line driver, and at the end it leaves the alternate screen.
func screenOf(stream []byte, w, h int) string {
	if i := bytes.LastIndex(stream, []byte("\x1b[?1049l")); i >= 0 {
		stream = stream[:i]
	}
	stream = bytes.ReplaceAll(stream, []byte("\n"), []byte("\r\n"))
	e := vt102.New(w, h)
	defer e.Close()
	_, _ = e.Write(stream)
	return e.String()
}

// The screens that an operator sees on the way from a fresh host to a save.
func TestStoryFirstConfiguration(t *testing.T) {
	tell(t, 80, 24, withFresh).
		press("space", "tab", "enter").types("eth1").press("enter").
		press("enter").types("10.0.0.102/24").press("enter", "enter", "ctrl+u").types("256K").press("enter").
		ends()
}

func TestStoryErrorAndCure(t *testing.T) {
	tell(t, 80, 24).
		press("tab", "tab", "tab", "ctrl+u").types("10.0.1.102/24").
		press("esc", "left", "left", "left", "enter"). // refused: back in the field
		press("left", "left", "left", "left", "left", "left", "left", "backspace").types("0").
		ends()
}

func TestStoryRefusedSave(t *testing.T) {
	tell(t, 80, 24).
		press("tab", "tab", "tab", "ctrl+u").types("10.0.1.102/24").
		press("esc", "left", "left", "left", "enter").
		ends()
}

func TestStoryQuitDialog(t *testing.T) {
	tell(t, 80, 24).press("space", "tab", "tab", "backspace", "backspace").types("25").press("ctrl+c", "right").ends()
}

func TestStoryPickerOfManyScrolls(t *testing.T) {
	s := tell(t, 80, 24)
	s.Send(interfacesListed{run: 1, list: manyInterfaces(4000)})
	s.press("tab", "enter", "pgdown", "pgdown", "up", "up", "up").ends()
}

func TestStoryHelpAndBack(t *testing.T) {
	tell(t, 80, 24).press("tab", "tab", "tab", "tab", "?", "enter", "tab").ends()
}

func TestStoryResize(t *testing.T) {
	tell(t, 132, 43).press("tab", "tab", "tab").resizes(40, 12).press("tab", "tab", "tab").ends()
}

func withFresh(o *Options) { o.Saved = conntrackd.Defaults() }
