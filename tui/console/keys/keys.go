// Package keys makes of the bytes that a terminal sends what Bubble Tea reads
// without a mistake: whole keys in one spelling, and pastes that end. Whatever
// it does not know types nothing.
package keys

import (
	"regexp"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// escapeWait is how long the rest of an escape sequence may take. Bubble Tea
	// gives up after 50 ms, which at 300 baud cuts an arrow key into Esc and two
	// letters.
	escapeWait = 200 * time.Millisecond
	// pasteWait is how long a paste may pause. The mark of its end may be lost
	// on the line, and until then no key is one.
	pasteWait = time.Second
	// pasteMax is how much of a paste is handed over, in bytes; the rest of it
	// types nothing. The longest text that is asked for is a line of 2048.
	pasteMax = 8192
	// runMin is how many characters in a row are a text: with its marks it is not much
	// longer than without.
	runMin = 16
)

const (
	interrupt = 0x03
	esc       = 0x1b
	// wholeEsc is the Esc key in a spelling that nothing can follow, so that no
	// later letter becomes a key with Alt.
	wholeEsc = "\x1b[27u"
	// sequenceMax is the longest sequence that is some key.
	sequenceMax = 32
)

// Decoder takes bytes as they come, cut anywhere, and hands out whole keys. The
// zero value has seen nothing. It is used by one goroutine at a time.
type Decoder struct {
	out   []byte // whole keys
	read  func(d *Decoder, b byte)
	seq   []byte // what has come of a key
	paste []byte
	left  int  // bytes of a mouse report that are still to come
	after byte // the last byte, to see CR LF as one Enter
}

// Feed takes what the terminal sent.
func (d *Decoder) Feed(p []byte) {
	for _, b := range p {
		if b == interrupt && d.read != nil {
			d.Expire() // no sequence holds it, and it must not be lost in one
		}
		d.take(b)
		d.after = b
	}
}

// Flood is Feed of more than a person types ahead: text in it, on a terminal that does
// not mark a paste, is handed out as one. A key a character, it would keep the program
// from every other key for minutes.
func (d *Decoder) Flood(p []byte) {
	for len(p) > 0 {
		n := 0
		for d.read == nil && n < len(p) && p[n] >= ' ' && p[n] <= '~' {
			n++
		}
		if n < runMin {
			n = min(n+1, len(p))
			d.Feed(p[:n])
		} else {
			d.out = append(append(append(d.out, pasteBegin...), p[:n]...), pasteEnd...)
			d.after = p[n-1]
		}
		p = p[n:]
	}
}

// Take moves whole keys to p and returns how many bytes they are; 0 says that
// there are none. It cuts no character.
func (d *Decoder) Take(p []byte) int {
	n := len(d.out)
	if n > len(p) {
		for n = len(p); n > 0 && !utf8.RuneStart(d.out[n]); n-- {
		}
	}
	copy(p, d.out[:n])
	d.out = d.out[n:]
	return n
}

// Wait is how long the next byte may take before [Decoder.Expire] has to be
// called; 0 is for ever.
func (d *Decoder) Wait() time.Duration {
	switch {
	case d.read == nil:
		return 0
	case d.paste != nil:
		return pasteWait
	}
	return escapeWait
}

// Expire ends what is unfinished: Esc was the key of that name, a paste has
// ended, and the rest was no key.
func (d *Decoder) Expire() {
	switch {
	case d.paste != nil:
		d.endPaste()
	case len(d.seq) > 0 && d.seq[len(d.seq)-1] == esc:
		for range d.seq {
			d.out = append(d.out, wholeEsc...)
		}
	}
	d.reset()
}

func (d *Decoder) reset() { d.read, d.seq, d.paste = nil, d.seq[:0], nil }

// take gives a byte to what is being read.
func (d *Decoder) take(b byte) {
	if d.read == nil {
		d.begin(b)
		return
	}
	d.read(d, b)
}

// again gives up what has come of a key: b does not belong to it.
func (d *Decoder) again(b byte) {
	d.reset()
	d.begin(b)
}

// emit hands out a whole key.
func (d *Decoder) emit(key string) {
	d.reset()
	d.out = append(d.out, key...)
}

// begin reads the first byte of a key. LF is what the kernel makes of a CR that
// is typed before the line is raw.
func (d *Decoder) begin(b byte) {
	switch {
	case b == '\n' && d.after == '\r':
	case b == '\n':
		d.out = append(d.out, '\r')
	case b == esc:
		d.seq, d.read = append(d.seq[:0], b), (*Decoder).escape
	case b < utf8.RuneSelf:
		d.out = append(d.out, b)
	case b >= 0xc2 && b <= 0xf4:
		d.seq, d.read = append(d.seq[:0], b), (*Decoder).character
	}
}

// character reads the rest of a character outside ASCII. C1 controls are none:
// Bubble Tea takes them for the beginning of sequences.
func (d *Decoder) character(b byte) {
	d.seq = append(d.seq, b)
	if !utf8.FullRune(d.seq) {
		return
	}
	switch r, size := utf8.DecodeRune(d.seq); {
	case r == utf8.RuneError && size == 1:
		d.again(b)
	case r < 0xa0:
		d.reset()
	default:
		d.emit(string(d.seq))
	}
}

// escape reads what follows Esc, or a second one, with which some terminals
// send Alt.
func (d *Decoder) escape(b byte) {
	switch {
	case b == esc && len(d.seq) == 1:
		d.seq = append(d.seq, b)
		return
	case b == esc:
		d.out = append(d.out, wholeEsc...)
		return
	case b == '[':
		d.read = (*Decoder).csi
	case b == 'O':
		d.read = (*Decoder).ss3
	case b == ']':
		d.seq, d.read = d.seq[:0], (*Decoder).answer
		return
	case b == 'P' || b == 'X' || b == '^' || b == '_':
		d.seq, d.read = d.seq[:0], (*Decoder).text
		return
	case b == '\\' || b >= utf8.RuneSelf: // the end of a text that was not begun
		d.reset()
		return
	default:
		d.emit(withAlt(b))
		return
	}
	d.seq = append(d.seq, b)
}

// background is the terminal's answer to OSC 11: what its background is.
var background = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^11;rgb:[0-9a-fA-F]{1,4}/[0-9a-fA-F]{1,4}/[0-9a-fA-F]{1,4}$`)
})

// answer reads an OSC, of which one is handed out: [background].
func (d *Decoder) answer(b byte) {
	switch {
	case (b == 0x07 || b == esc) && background().Match(d.seq):
		d.emit("\x1b]" + string(d.seq) + "\x07")
		if b == esc {
			d.begin(b) // the rest of ST types nothing
		}
	case b == 0x07 || b == 0x18 || b == 0x1a || b == esc:
		d.text(b)
	case len(d.seq) < sequenceMax:
		d.seq = append(d.seq, b)
	}
}

// text reads what else a terminal may say, which types nothing, to its end: BEL, CAN,
// SUB or ST.
func (d *Decoder) text(b byte) {
	switch b {
	case 0x07, 0x18, 0x1a:
		d.reset()
	case esc:
		d.again(b) // and the rest of ST types nothing either
	}
}

// csi reads a sequence that begins with Esc and a bracket (ECMA-48 CSI).
func (d *Decoder) csi(b byte) {
	params := d.params()
	switch {
	case b == '[' && params == "": // a function key of the Linux console
		d.read = (*Decoder).linux
	case b < ' ' || b > '~':
		d.again(b)
	case b < '@':
		if len(d.seq) < sequenceMax {
			d.seq = append(d.seq, b)
		}
	case b == '~' && params == "200":
		d.reset()
		d.paste, d.read = []byte{}, (*Decoder).pasted
	case b == 'M' && params == "":
		d.read, d.left = (*Decoder).mouse, 3
	case knownCSI(params, b) && len(d.seq) < sequenceMax:
		d.emit(string(append(d.seq, b)))
	default:
		d.reset()
	}
}

// params is what has come after the introducer.
func (d *Decoder) params() string {
	n := 2
	if d.seq[1] == esc {
		n = 3
	}
	return string(d.seq[n:])
}

// linux reads the letter of a function key of the Linux console, whose own
// introducer no standard knows.
func (d *Decoder) linux(b byte) {
	switch {
	case b < ' ' || b > '~':
		d.again(b)
	case b >= 'A' && b <= 'D':
		d.emit("\x1bO" + string(rune(b-'A'+'P')))
	case b == 'E':
		d.emit("\x1b[15~")
	default:
		d.reset()
	}
}

// mouse reads where the mouse was, which types nothing.
func (d *Decoder) mouse(b byte) {
	if d.left--; b < ' ' {
		d.again(b)
	} else if d.left == 0 {
		d.reset()
	}
}

// ss3 reads a sequence that begins with Esc and O: arrows, function keys and
// the keypad of a VT100 in application mode.
func (d *Decoder) ss3(b byte) {
	modifier := d.params()
	switch {
	case b < ' ' || b > '~':
		d.again(b)
	case b >= '0' && b <= '9' && len(modifier) < 2:
		d.seq = append(d.seq, b)
	case modifier == "" && keypad[b] != 0:
		d.emit(string(keypad[b]))
	case knownSS3(b):
		d.emit(string(append(d.seq, b)))
	default:
		d.reset()
	}
}
