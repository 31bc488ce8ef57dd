package console

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// restore puts the attributes back.
func (l *Line) restore(old *unix.Termios) {
	if unix.IoctlSetTermios(int(l.in.Fd()), unix.TCSETS, old) != nil {
		l.restoreAnew(old)
	}
}

// restoreAnew is for a line that was hung up: it takes nothing from this
// program any more, yet the driver of a UART keeps the attributes for whoever
// opens it next, who would find it raw. It is opened again for that, and left
// alone when somebody else has set it already. A terminal that is gone, as a
// pseudo-terminal is, cannot be opened, and there is nobody to tell.
func (l *Line) restoreAnew(old *unix.Termios) {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", l.in.Fd()))
	if err != nil {
		return
	}
	// Not waiting for a carrier, and not for this program's session.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if rdev, err := unix.IoctlGetUint32(fd, unix.TIOCGDEV); err != nil || uint64(rdev) != l.rawDevice {
		return
	}
	if now, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil || *now != l.raw {
		return
	}
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, old)
}
