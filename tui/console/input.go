package console

import (
	"io"
	"os"
	"sync"
)

// escapeWait is how long the rest of an escape sequence may take, in
// milliseconds. Bubble Tea gives up after 50, which at 300 baud cuts an arrow
// key into Esc and two letters.
const escapeWait = 200

// input is the program's standard input. It hands over what was typed before
// first, then whole escape sequences only, has one key for Enter, and reports
// the end of the line, which Bubble Tea swallows.
type input struct {
	file  *os.File
	typed []byte
	ended func()

	stop, stopped *os.File // a pipe; its end ends a read that waits
	returned      bool     // the last byte was a CR

	reading sync.Mutex // held while the file is used
	closed  bool
}

func newInput(f *os.File, typed []byte, ended func()) (*input, error) {
	stopped, stop, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &input{file: f, typed: typed, ended: ended, stop: stop, stopped: stopped}, nil
}

// close ends a read that waits, and takes no key with it. When it returns the
// file is no longer used.
func (i *input) close() {
	_ = i.stop.Close()
	i.reading.Lock()
	i.closed = true
	i.reading.Unlock()
}

// Read returns at least one byte and does not end inside an escape sequence
// unless the rest does not come.
func (i *input) Read(p []byte) (int, error) {
	i.reading.Lock()
	defer i.reading.Unlock()
	if i.closed {
		return 0, io.EOF
	}
	if len(i.typed) > 0 {
		n := copy(p, i.typed)
		i.typed = i.typed[n:]
		if n = i.returns(p[:n]); n > 0 {
			return n, nil
		}
	}
	if !waitInput(i.file, i.stopped) {
		return 0, io.EOF
	}
	for {
		n, err := i.read(p)
		for err == nil && n < len(p) && openEscape(p[:n]) && readable(i.file, escapeWait) {
			var m int
			m, err = i.read(p[n:])
			n += m
		}
		n = i.returns(p[:n])
		if n > 0 {
			return n, nil // the end, if there was one, is met again
		}
		if err != nil || !waitInput(i.file, i.stopped) {
			return 0, io.EOF
		}
	}
}

// returns makes every end of a line that a terminal may send for Enter (CR, LF,
// or CR LF) one CR, and returns how many bytes are left. LF is also what the
// kernel makes of a CR that is typed before the line is raw.
func (i *input) returns(p []byte) int {
	n := 0
	for _, b := range p {
		after := i.returned
		i.returned = b == '\r'
		switch {
		case b == '\n' && after:
			continue
		case b == '\n':
			b = '\r'
		}
		p[n] = b
		n++
	}
	return n
}

// read takes what is there. The end of the input is told at once.
func (i *input) read(p []byte) (int, error) {
	n, err := i.file.Read(p)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		i.ended()
	}
	return n, err
}

// openEscape says whether p ends inside an escape sequence.
func openEscape(p []byte) bool {
	for at := len(p) - 1; at >= 0 && len(p)-at <= 16; at-- {
		if p[at] == esc {
			return unfinished(p[at+1:])
		}
	}
	return false
}

const esc = 0x1b

func unfinished(tail []byte) bool {
	switch {
	case len(tail) == 0:
		return true
	case tail[0] == 'O': // SS3: one more byte
		return len(tail) == 1
	case tail[0] != '[':
		return false
	}
	for _, b := range tail[1:] {
		if b >= 0x40 && b <= 0x7e {
			return false
		}
	}
	return true
}
