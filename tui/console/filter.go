package console

import (
	"os"
	"time"
)

// filter is the output of a Bubble Tea program with everything taken out that
// a VT100 does not know. It embeds the file so that size and raw mode go on
// working through it. Write keeps its state between calls: a sequence may be
// split over two of them.
type filter struct {
	*os.File
	altScreen bool           // let the alternate screen through
	pace      func(sent int) // waits until the line has taken what was sent; may be nil
	state     func(f *filter, b byte)
	seq       []byte // the sequence so far
	out       []byte
	shown     bool // the cursor as the terminal has it
	wanted    bool // the cursor as the program last asked
}

const esc = 0x1b

func newFilter(f *os.File, altScreen bool, pace func(int)) *filter {
	return &filter{File: f, altScreen: altScreen, pace: pace, state: (*filter).text, shown: true, wanted: true}
}

// Write sends what is left of p. The cursor is hidden and shown at most once a
// call: Bubble Tea does it round every frame, at 12 bytes a time.
func (f *filter) Write(p []byte) (int, error) {
	f.out = f.out[:0]
	for _, b := range p {
		f.state(f, b)
	}
	if f.wanted != f.shown {
		f.shown = f.wanted
		if f.shown {
			f.out = append(f.out, "\x1b[?25h"...)
		} else {
			f.out = append(f.out, "\x1b[?25l"...)
		}
	}
	if len(f.out) == 0 {
		return len(p), nil
	}
	if _, err := f.File.Write(f.out); err != nil {
		return 0, err
	}
	if f.pace != nil {
		f.pace(len(f.out))
	}
	return len(p), nil
}

// WriteString keeps io.WriteString from going past the filter.
func (f *filter) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

func (f *filter) text(b byte) {
	if b == esc {
		f.seq = append(f.seq[:0], b)
		f.state = (*filter).escape
		return
	}
	f.out = append(f.out, b)
}

// escape has seen ESC. ECMA-48: '[' begins a control sequence; ']', 'P', 'X',
// '^' and '_' begin a string that ends with BEL or ST; 0x20 to 0x2f are
// intermediates of a longer escape sequence.
func (f *filter) escape(b byte) {
	f.seq = append(f.seq, b)
	switch {
	case b == '[':
		f.state = (*filter).control
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
		f.state = (*filter).str
	case b >= 0x20 && b <= 0x2f:
		// Character set designation and the like: one more byte, dropped.
	default:
		if len(f.seq) == 2 {
			f.out = append(f.out, f.seq...)
		}
		f.state = (*filter).text
	}
}

func (f *filter) control(b byte) {
	f.seq = append(f.seq, b)
	if b >= 0x40 && b <= 0x7e {
		f.endControl()
		f.state = (*filter).text
	}
}

func (f *filter) endControl() {
	switch body := string(f.seq[2:]); {
	case body == "?25h":
		f.wanted = true
	case body == "?25l":
		f.wanted = false
	case (body == "?1049h" || body == "?1049l") && f.altScreen:
		f.out = append(f.out, f.seq...)
	case plainControl(f.seq[2:]):
		f.out = append(f.out, f.seq...)
	}
}

// plainControl says whether a control sequence has neither a private marker
// (< = > ?) nor intermediate bytes: the ones with either are what minicom and
// the consoles of old kernels print in part.
func plainControl(body []byte) bool {
	for _, b := range body[:len(body)-1] {
		if (b < '0' || b > '9') && b != ';' {
			return false
		}
	}
	return true
}

// str swallows an OSC, DCS or other string up to BEL or ESC \.
func (f *filter) str(b byte) {
	last := f.seq[len(f.seq)-1]
	f.seq[len(f.seq)-1] = b
	if b == 0x07 || (last == esc && b == '\\') {
		f.state = (*filter).text
	}
}

// pacer returns the wait that keeps the program from running ahead of the
// line: on a UART until it has sent everything, elsewhere as long as its speed
// says. With it a frame that is out of date is never queued, since Bubble Tea
// draws only the newest.
func (l *Line) pacer() func(int) {
	switch {
	case l.kind != Serial:
		return nil
	case l.uart:
		return func(int) { drain(l.out) }
	}
	baud := speed(l.out)
	if baud == 0 {
		return nil
	}
	return func(sent int) {
		const bitsPerByte = 10 // start, eight, stop
		time.Sleep(time.Duration(sent) * bitsPerByte * time.Second / time.Duration(baud))
	}
}
