package lab

import (
	"fmt"
	"io"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// consoleLine is the terminal that a machine's console is: nspawn passes keys
// and output on between it and the console. It lasts over a reboot.
type consoleLine struct{ ptmx, tty *os.File }

// openConsoleLine opens a terminal of 0x0, as a serial port is, and shows what
// comes over it.
func openConsoleLine(screen io.Writer, kept *console) (*consoleLine, error) {
	ptmx, tty, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a terminal for the console: %w", err)
	}
	l := &consoleLine{ptmx, tty}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{}); err != nil {
		l.close()
		return nil, fmt.Errorf("size the console's terminal: %w", err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := ptmx.Read(buf)
			_, _ = kept.Write(buf[:n])
			_, _ = screen.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return l, nil
}

func (l *consoleLine) close() {
	l.tty.Close()
	l.ptmx.Close()
}
