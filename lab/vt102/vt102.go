// Package vt102 is a terminal for tests: it turns what a program sends to a
// terminal into what a person would see.
package vt102

import (
	"image/color"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// Screen is an emulated terminal. It adds to the emulator underneath the one
// thing of a VT102 that it lacks and Bubble Tea uses: insert mode (IRM). Its
// methods are safe for concurrent use.
type Screen struct {
	mu       sync.Mutex
	emulator *vt.Emulator
	insert   bool
	seq      []byte
	text     []byte // a character that is not whole yet
}

// New returns a blank screen. What a terminal would answer is thrown away.
func New(width, height int) *Screen {
	s := &Screen{emulator: vt.NewEmulator(width, height)}
	go io.Copy(io.Discard, s.emulator)
	return s
}

// Write shows what a program sent. A sequence may be split over two calls.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range p {
		if !s.take(b) {
			continue
		}
		switch string(s.seq) {
		case "\x1b[4h":
			s.insert = true
		case "\x1b[4l":
			s.insert = false
		default:
			if _, err := s.emulator.Write(s.seq); err != nil {
				return 0, err
			}
		}
		s.seq = s.seq[:0]
	}
	return len(p), nil
}

// take adds b to the sequence and says whether that ends it. A character in
// insert mode is preceded by one that is made room for (ICH).
func (s *Screen) take(b byte) bool {
	switch {
	case b == 0x1b:
		s.seq = append(s.seq[:0], b)
		return false
	case len(s.seq) == 1:
		s.seq = append(s.seq, b)
		return b != '['
	case len(s.seq) > 1:
		s.seq = append(s.seq, b)
		return b >= 0x40
	case b >= utf8.RuneSelf:
		s.text = append(s.text, b)
		if !utf8.FullRune(s.text) {
			return false
		}
		s.seq, s.text = append(s.seq, s.text...), s.text[:0]
	case s.insert && b >= ' ':
		s.seq = append(s.seq, 0x1b, '[', '@', b)
	default:
		s.seq = append(s.seq, b)
	}
	return true
}

// String is the text on the screen, a line each, without trailing blanks.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(s.emulator.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	return strings.Join(lines, "\n") + "\n"
}

// Resize changes the size. What was on the screen stays as far as it fits.
func (s *Screen) Resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emulator.Resize(width, height)
}

// Cursor is where the cursor is, both from 0.
func (s *Screen) Cursor() (x, y int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.emulator.CursorPosition()
	return p.X, p.Y
}

// Close ends the emulation. It closes the pipe of answers rather than the
// emulator, whose own Close races with its Read.
func (s *Screen) Close() error {
	if c, ok := s.emulator.InputPipe().(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Run is text in one line of a screen that looks the same throughout.
type Run struct {
	Column  int
	Text    string
	Bold    bool
	Reverse bool
	// Colour is one of the 256 of a terminal, or -1 for its own; Behind that of the
	// background.
	Colour, Behind int
}

// Filled says that the blanks of a run are seen too.
func (r Run) Filled() bool { return r.Reverse || r.Behind >= 0 }

// Runs are the lines of the screen as they look. A run ends before two blanks, unless
// they are filled.
func (s *Screen) Runs() [][]Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := make([][]Run, s.emulator.Height())
	for y := range lines {
		for x := 0; x < s.emulator.Width(); x++ {
			cell := s.emulator.CellAt(x, y)
			if cell == nil || cell.Width == 0 {
				continue // the second half of a wide character
			}
			now := Run{Column: x, Text: cell.Content, Bold: cell.Style.Attrs&uv.AttrBold != 0, Reverse: cell.Style.Attrs&uv.AttrReverse != 0, Colour: indexed(cell.Style.Fg), Behind: indexed(cell.Style.Bg)}
			last := len(lines[y]) - 1
			if now.Text == "" {
				now.Text = " "
			}
			if last >= 0 && lines[y][last].looksLike(now) {
				lines[y][last].Text += now.Text
			} else {
				lines[y] = append(lines[y], now)
			}
		}
		lines[y] = atWords(lines[y])
	}
	return lines
}

func (r Run) looksLike(other Run) bool {
	return r.Bold == other.Bold && r.Reverse == other.Reverse && r.Colour == other.Colour && r.Behind == other.Behind
}

// indexed is one of the 256 colours, -1 for any other.
func indexed(c color.Color) int {
	switch c := c.(type) {
	case ansi.BasicColor:
		return int(c)
	case ansi.IndexedColor:
		return int(c)
	}
	return -1
}

// atWords parts runs at two blanks and more, which are left out.
func atWords(runs []Run) []Run {
	var parted []Run
	for _, r := range runs {
		if r.Filled() {
			parted = append(parted, r)
			continue
		}
		column := r.Column
		for _, text := range strings.SplitAfter(r.Text, "  ") {
			part := r
			blank := len(text) - len(strings.TrimLeft(text, " "))
			part.Column, part.Text = column+blank, strings.TrimSpace(text)
			if column += utf8.RuneCountInString(text); part.Text != "" {
				parted = append(parted, part)
			}
		}
	}
	return parted
}
