package console

import "os"

// escapeWait is how long the rest of an escape sequence may take, in
// milliseconds. Bubble Tea gives up after 50, which at 300 baud cuts an arrow
// key into Esc and two letters.
const escapeWait = 200

// input is the program's standard input. It hands over whole escape sequences
// only and reports the end of the line, which Bubble Tea swallows. It embeds
// the file so that raw mode and polling go on working through it.
type input struct {
	*os.File
	ended func()
}

// Read returns at least one byte and does not end inside an escape sequence
// unless the rest does not come.
func (i *input) Read(p []byte) (int, error) {
	n, err := i.File.Read(p)
	if err != nil || n == 0 {
		i.ended()
		return n, err
	}
	for n < len(p) && openEscape(p[:n]) && readable(i.File, escapeWait) {
		m, err := i.File.Read(p[n:])
		n += m
		if err != nil || m == 0 {
			i.ended()
			return n, err
		}
	}
	return n, nil
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
