package tui

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"connsync/tui/text"
)

// lineMax bounds what is kept of one line of input, in bytes. A line may be a
// megabyte; what is cut is never taken for an answer.
const lineMax = 1024

// errInputEnded says that no answer will come any more.
var errInputEnded = errors.New("the input ended")

// typedLine is one line as it was meant: erased characters are gone.
type typedLine struct {
	text string
	// long says that text was cut, strange that the line contained non-text
	// keys, such as arrows. Neither is an answer.
	long, strange bool
}

// lineReader reads lines in the background, so that a wait for one can be
// ended. Everything is read through one buffer: lines that are piped or pasted
// ahead are never lost. It is used by one goroutine at a time.
type lineReader struct {
	asked chan struct{}
	lines chan typedLine // closed at the end of the input
	due   bool           // a line was asked for and has not come
}

// newLineReader begins to read when it is asked. A read that is under way when
// the program ends is left behind.
func newLineReader(in io.Reader) *lineReader {
	r := &lineReader{asked: make(chan struct{}, 1), lines: make(chan typedLine, 1)}
	go func() {
		defer close(r.lines)
		d := lineDecoder{in: bufio.NewReader(in)}
		for range r.asked {
			line, err := d.next()
			if err != nil {
				return
			}
			r.lines <- line
		}
	}()
	return r
}

// next waits for a line. After an error there is none any more.
func (r *lineReader) next(ctx context.Context) (typedLine, error) {
	if err := ctx.Err(); err != nil {
		return typedLine{}, err
	}
	line, _, err := r.await(ctx, nil)
	return line, err
}

// within is next with a bound; ok is false where no line came in that time.
func (r *lineReader) within(ctx context.Context, d time.Duration) (line typedLine, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return typedLine{}, false, err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	return r.await(ctx, timer.C)
}

func (r *lineReader) await(ctx context.Context, late <-chan time.Time) (line typedLine, ok bool, err error) {
	if !r.due {
		r.asked <- struct{}{}
		r.due = true
	}
	select {
	case line, open := <-r.lines:
		if !open {
			return typedLine{}, false, errInputEnded
		}
		r.due = false
		return line, true, ctx.Err() // a signal may have come with the last line
	case <-late:
		return typedLine{}, false, nil
	case <-ctx.Done():
		return typedLine{}, false, ctx.Err()
	}
}

// close ends the reader.
func (r *lineReader) close() { close(r.asked) }

// lineDecoder makes lines of bytes. A line ends with LF, CR or CR LF.
type lineDecoder struct {
	in    *bufio.Reader
	after byte // the last byte, to see CR LF as one end
}

// next returns the next line. Text after the last line end is not a line:
// an answer that was cut short does not count.
func (d *lineDecoder) next() (typedLine, error) {
	var l typedLine
	var text []byte
	for {
		b, err := d.in.ReadByte()
		if err != nil {
			return typedLine{}, err
		}
		before := d.after
		d.after = b
		switch b {
		case '\n', '\r':
			if b == '\n' && before == '\r' {
				continue
			}
			l.strange = bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' })
			l.text = strings.TrimSpace(string(text))
			return l, nil
		case '\b', 0x7f: // one of the two is not the one that the line driver takes
			_, size := utf8.DecodeLastRune(text)
			text = text[:len(text)-size]
		case 0x15: // ctrl+u, where no line driver has seen it
			text, l = text[:0], typedLine{}
		case 0, 0x11, 0x13: // NUL of a break, XON and XOFF of the line
		case '\t':
			b = ' '
			fallthrough
		default:
			if len(text) == lineMax {
				l.long = true
				continue
			}
			text = append(text, b)
		}
	}
}

// unbroken is a width that nothing reaches which is shown on one line.
const unbroken = text.CleanMax + 88

// diffWidth is where a line of a diff is folded: a line of the paper is cut behind it.
const diffWidth = text.CleanMax

// lineWriter writes lines of printable ASCII and nothing else.
type lineWriter struct {
	env   *env
	w     io.Writer
	width int // of the paper; prose is broken there
	// silent says that the answers are not echoed, so that the line of a
	// question has to be ended here.
	silent bool
	open   bool // a question stands on the line
	err    error
}

func newLineWriter(e *env, w io.Writer, width int, silent bool) *lineWriter {
	if width < 1 {
		width = unbroken
	}
	return &lineWriter{env: e, w: w, width: width, silent: silent}
}

func (w *lineWriter) write(text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.w, text)
	}
}

// line writes text as one line, however wide; what stands before it on the
// line is ended.
func (w *lineWriter) line(text string) {
	if w.open {
		w.write("\n")
		w.open = false
	}
	w.write(strings.TrimRight(w.env.shown(text), " ") + "\n")
}

// say writes prose, broken at the width.
func (w *lineWriter) say(text string) { w.hang("", text) }

// hang writes prose behind a first word; further lines are indented by as much.
func (w *lineWriter) hang(first, text string) {
	for _, l := range hang(w.env.shown(text), w.env.shown(first), w.width) {
		w.line(l)
	}
}

// columns writes lines that begin with a word such as [text.OK].
func (w *lineWriter) columns(lines []string) {
	for _, l := range lines {
		first := text.Column("")
		if len(l) < len(first) {
			w.line(l)
			continue
		}
		w.hang(l[:len(first)], l[len(first):])
	}
}

// ask writes a question; the answer comes on the same line.
func (w *lineWriter) ask(text string) {
	w.write(w.env.shown(text) + " ")
	w.open = true
}

// answered says that a line came in, and with it its end on the paper.
func (w *lineWriter) answered() {
	w.open = false
	if w.silent {
		w.write("\n")
	}
}
