package console

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// drain is tcdrain(3). An error means that the line is gone, which the next
// write finds out too.
func drain(f *os.File) {
	_ = unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1)
}

// fifo is how many bytes the queue of a common UART holds at most.
const fifo = 32

// Drain waits until a UART has sent everything, what its own queue holds too,
// for as long as it gets on with that. What it has not sent when the session on
// it ends, the kernel throws away: the last words of a program that was started
// on the line. On anything but a UART it returns at once.
func Drain(f *os.File) {
	if rdev, ok := device(f); !ok || !isUART(rdev) {
		return
	}
	left := func() int { return unsent(f) }
	sending(time.Second+transmission(f, fifo), func() bool { return left() == 0 }, func() bool { return false }, left)
}

// sending waits until done, or until what is left has not become less than ever before
// for that long: false then. So what others write on the line does not hold it up. While
// this program is filling the queue itself, every decrease counts. Looks are counted, since
// where a virtual machine has to wait its clock goes on and its UART does not.
func sending(limit time.Duration, done, filling func() bool, left func() int) bool {
	const looks = 100
	for least, still := left(), 0; still < looks; still++ {
		if done() {
			return true
		}
		now := left()
		if now < least {
			still = 0
		}
		if now < least || filling() {
			least = now
		}
		time.Sleep(limit / looks)
	}
	return done()
}

// unsent is how many bytes a UART has still to send, as far as it can be told:
// its own queue counts as one.
func unsent(f *os.File) int {
	left, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCOUTQ)
	if err != nil {
		return 0
	}
	if left > 0 {
		return left
	}
	// linux/serial.h, tty_ioctl(2)
	const tiocSerTEMT = 1
	state, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCSERGETLSR)
	if err != nil || state&tiocSerTEMT != 0 {
		return 0 // a driver that does not say has sent it
	}
	return 1
}

// discard throws away what the line has not sent yet (tcflush(3), TCOFLUSH).
func discard(f *os.File) {
	_ = unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCOFLUSH)
}

// speeds are the termios constants of the speeds in use on consoles.
var speeds = map[uint32]int{
	unix.B1200: 1200, unix.B2400: 2400, unix.B4800: 4800, unix.B9600: 9600,
	unix.B19200: 19200, unix.B38400: 38400, unix.B57600: 57600,
	unix.B115200: 115200, unix.B230400: 230400, unix.B300: 300, unix.B600: 600, unix.B150: 150, unix.B110: 110,
}

// speed is the output speed in bits a second, 0 when it is unknown.
func speed(f *os.File) int {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return 0
	}
	return speeds[t.Cflag&unix.CBAUD]
}

// transmission is how long a line takes for that many bytes, 0 where its speed
// is unknown.
func transmission(f *os.File, bytes int) time.Duration {
	const bitsPerByte = 10 // start, eight, stop
	baud := speed(f)
	if baud == 0 {
		return 0
	}
	return time.Duration(bytes) * bitsPerByte * time.Second / time.Duration(baud)
}

// windowSize is the size as the kernel has it; ok is false for 0x0, which is
// what a serial line reports.
func windowSize(f *os.File) (width, height int, ok bool) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 0, 0, false
	}
	return min(int(ws.Col), maxWidth), min(int(ws.Row), maxHeight), true
}

// maxWidth and maxHeight bound what is drawn, in the upper left corner of a larger window.
// Anybody may give a pseudo-terminal 65535 columns and lines, which would take gigabytes.
const maxWidth, maxHeight = 500, 200

func setWindowSize(f *os.File, width, height int) error {
	return unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
}

// readable waits for input; millis is the longest wait.
func readable(f *os.File, millis int) bool { return ready(f, unix.POLLIN, millis) }

// writable waits until the line takes output.
func writable(f *os.File, millis int) bool { return ready(f, unix.POLLOUT, millis) }

func ready(f *os.File, events int16, millis int) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: events}}
	for {
		n, err := unix.Poll(fds, millis)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n > 0
	}
}

// awaited is what a wait for input ended with.
type awaited int

const (
	inputCame awaited = iota
	inputLate
	inputStopped
)

// waitInput waits until f has input or stopped is at its end, for no longer
// than limit; 0 is for ever.
func waitInput(f, stopped *os.File, limit time.Duration) awaited {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}, {Fd: int32(stopped.Fd()), Events: unix.POLLIN}}
	until := time.Now().Add(limit)
	for {
		millis := -1
		if limit > 0 {
			millis = max(0, int(time.Until(until).Milliseconds()))
		}
		n, err := unix.Poll(fds, millis)
		switch {
		case err == unix.EINTR:
		case err != nil || fds[1].Revents != 0:
			return inputStopped
		case n == 0:
			return inputLate
		default:
			return inputCame
		}
	}
}

// makeRaw takes the line as it is, a byte at a time, and returns how it was.
// On a serial line flow control, parity and the width of a character stay:
// they belong to the line, and cfmakeraw(3) would take them away.
func (l *Line) makeRaw() (*unix.Termios, error) {
	fd := int(l.in.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read terminal attributes: %w", err)
	}
	raw := *old
	raw.Iflag &^= unix.BRKINT | unix.PARMRK | unix.INLCR | unix.IGNCR | unix.ICRNL
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if l.kind == Rich {
		raw.Iflag &^= unix.IXON // Ctrl+S stops a line; an emulator has none
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("set terminal raw: %w", err)
	}
	// As the driver took it, which may leave out what it cannot do.
	if now, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		l.raw = *now
		l.rawDevice, _ = device(l.in)
	}
	return old, nil
}
