package emulator

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// console is a virtual console of the kernel (console_codes(4)) that nobody
// uses and that nobody is shown.
type console struct {
	devices *os.File
	number  int
	tty     *os.File
	screen  *os.File // vcsa(4)
	sent    func([]byte) error
	sending sync.Mutex // keys and answers do not mix
	relayed chan struct{}
	lock    io.Closer
}

const (
	vtDisallocate = 0x5608 // VT_DISALLOCATE of linux/vt.h

	// Device numbers, by the kernel's Documentation/admin-guide/devices.txt;
	// the minor number is that of the console, for vcsa and this.
	ttyMajor  = 4
	vcsMajor  = 7
	vcsaMinor = 128

	firstConsole, lastConsole = 13, 63 // those below may have a key
)

func openConsole(sent func([]byte) error) (c *console, err error) {
	c = &console{sent: sent, relayed: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.devices, err = openDevices(); err != nil {
		return c, err
	}
	if err := c.find(); err != nil {
		return c, err
	}
	if err := prepare(int(c.tty.Fd())); err != nil {
		return c, fmt.Errorf("prepare console %d: %w", c.number, err)
	}
	if err := unix.SetNonblock(int(c.tty.Fd()), true); err != nil { // after Fd
		return c, err
	}
	if c.screen, err = device(c.devices, vcsMajor, vcsaMinor+c.number, unix.O_RDONLY); err != nil {
		return c, err
	}
	go func() {
		defer close(c.relayed)
		relay(c.tty, c.send)
	}()
	return c, nil
}

// find takes a console that does not exist yet: nobody has opened it.
func (c *console) find() error {
	for n := lastConsole; n >= firstConsole; n-- {
		screen, err := device(c.devices, vcsMajor, vcsaMinor+n, unix.O_RDONLY)
		if err == nil {
			screen.Close()
			continue
		}
		if !errors.Is(err, unix.ENXIO) {
			return err
		}
		lock, err := net.Listen("unix", fmt.Sprintf("@connsync-console-%d", n))
		if err != nil {
			continue // another test was quicker
		}
		c.lock, c.number = lock, n
		c.tty, err = device(c.devices, ttyMajor, n, unix.O_RDWR)
		return err
	}
	return errors.New("no virtual console is free")
}

// prepare makes a console raw, as a line is, blank and of the size wanted.
func prepare(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag = 0, 0
	t.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: Height, Col: Width}); err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("\x1bc"))
	return err
}

func (c *console) Write(p []byte) (int, error) { return c.tty.Write(p) }

// Type goes past the console's keyboard, which is the machine's.
func (c *console) Type(keys string) error { return c.send([]byte(keys)) }

func (c *console) send(p []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return trickle(p, c.sent)
}

// Shows reads vcsa: lines, columns and the cursor, then a character and its
// attribute for each cell.
func (c *console) Shows() (text string, x, y int, err error) {
	buf := make([]byte, 4+2*Width*Height)
	n, err := c.screen.ReadAt(buf, 0)
	if err != nil {
		return "", 0, 0, fmt.Errorf("read console %d: %w (%d bytes)", c.number, err, n)
	}
	if buf[0] != Height || buf[1] != Width {
		return "", 0, 0, fmt.Errorf("console %d is %dx%d, not %dx%d", c.number, buf[1], buf[0], Width, Height)
	}
	lines := make([]string, Height)
	for i := range lines {
		row := make([]byte, Width)
		for j := range row {
			row[j] = buf[4+2*(i*Width+j)]
		}
		lines[i] = string(row)
	}
	return trimmed(lines), int(buf[2]), int(buf[3]), nil
}

// Close gives the console back.
func (c *console) Close() error {
	var errs []error
	if c.tty != nil {
		errs = append(errs, c.tty.Close())
	}
	if c.screen != nil {
		<-c.relayed
		errs = append(errs, c.screen.Close())
	}
	if c.tty != nil {
		errs = append(errs, c.disallocate())
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	if c.devices != nil {
		errs = append(errs, c.devices.Close())
	}
	return errors.Join(errs...)
}

// disallocate makes the console one that does not exist. A process that is
// just being started may hold it for a moment.
func (c *console) disallocate() error {
	manager, err := device(c.devices, ttyMajor, 0, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer manager.Close()
	for try := 0; ; try++ {
		err := unix.IoctlSetInt(int(manager.Fd()), vtDisallocate, c.number)
		if !errors.Is(err, unix.EBUSY) || try == 100 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
