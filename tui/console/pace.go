package console

import (
	"time"
)

// pacer returns the wait that keeps the program from running ahead of the
// line: on a UART until it has sent everything, on a pseudo-terminal as long
// as the speed it was given takes. The speed that every pseudo-terminal begins
// with says nothing, and the kernel's own console takes bytes at once.
func (l *Line) pacer() func(sent int) {
	switch {
	case l.uart:
		return func(int) { drain(l.out) }
	case !l.pty:
		return nil
	}
	return func(sent int) {
		if speed(l.out) != ptyDefault {
			time.Sleep(transmission(l.out, sent))
		}
	}
}

// ptyDefault is the kernel's tty_std_termios.
const ptyDefault = 38400
