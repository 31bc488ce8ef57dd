package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"
)

// activeConsoles lists the kernel's consoles (Documentation/admin-guide/
// serial-console.rst), by the names of their devices.
const activeConsoles = "/sys/class/tty/console/active"

// inContainer is there where systemd knows that it runs in a container: the
// kernel's consoles are the host's there.
const inContainer = "/run/systemd/container"

// ErrNobody says that Enter was pressed on no console.
var ErrNobody = errors.New("nobody pressed a key")

// kernelNames are the terminals behind the kernel's consoles. The kernel's tty0
// stands for the virtual console that is in sight; login is on tty1.
func kernelNames(active string) []string {
	var names []string
	for _, name := range strings.Fields(active) {
		if name == "tty0" {
			name = "tty1"
		}
		names = append(names, name)
	}
	return names
}

// kernelTerm is the TERM of a console, as systemd has it for a getty.
func kernelTerm(name string) string {
	if rest, ok := strings.CutPrefix(name, "tty"); ok && rest != "" && strings.Trim(rest, "0123456789") == "" {
		return "linux"
	}
	return "vt220"
}

// Kernel is a console of the kernel that somebody is at. Close closes
// the others too.
type Kernel struct {
	Terminal *os.File
	Term     string // its TERM, as systemd has it for a getty
	opened   []*os.File
}

// Close closes the consoles.
func (k *Kernel) Close() {
	for _, f := range k.opened {
		f.Close()
	}
}

// FindKernel returns the kernel's console to talk on; of several it is the one
// where Enter is pressed first. It is nil where the kernel's are not this
// machine's, as in a container, or none can be opened: the program then has the
// terminal that it was started on. It returns [ErrNobody] when no key comes for
// so long as patience, where that is not zero.
func FindKernel(ctx context.Context, patience time.Duration) (*Kernel, error) {
	if _, err := os.Stat(inContainer); err == nil {
		return nil, nil
	}
	active, err := os.ReadFile(activeConsoles)
	if err != nil {
		return nil, nil // an old kernel: /dev/console is what there is
	}
	k := &Kernel{}
	var names []string
	for _, name := range kernelNames(string(active)) {
		// Without O_NONBLOCK a serial port with no carrier would not open.
		f, err := os.OpenFile(filepath.Join("/dev", name), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue // no such terminal, such as a console of the network
		}
		if !term.IsTerminal(f.Fd()) {
			f.Close()
			continue
		}
		k.opened, names = append(k.opened, f), append(names, name)
	}
	if len(k.opened) == 0 {
		return nil, nil
	}
	at := 0
	if len(k.opened) > 1 {
		if at, err = firstKey(ctx, k.opened, names, patience); err != nil {
			k.Close()
			return nil, err
		}
	}
	k.Terminal, k.Term = k.opened[at], kernelTerm(names[at])
	return k, nil
}

// firstKey invites on every console and returns the one where Enter is pressed.
func firstKey(ctx context.Context, consoles []*os.File, names []string, patience time.Duration) (int, error) {
	polled := make([]unix.PollFd, len(consoles))
	for i, f := range consoles {
		polled[i] = unix.PollFd{Fd: int32(f.Fd()), Events: unix.POLLIN}
		bound := ""
		if patience > 0 {
			bound = fmt.Sprintf(" Without it the boot continues in %s.", patience)
		}
		invite(f, "\r\nConnection sync is not set up. Press Enter to set it up on this console."+bound+"\r\n")
	}
	for began := time.Now(); patience <= 0 || time.Since(began) < patience; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := unix.Poll(polled, 200)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("wait for a key on the consoles: %w", err)
		}
		for i := range polled {
			if n <= 0 || polled[i].Revents == 0 {
				continue
			}
			typed := make([]byte, 256)
			if got, err := consoles[i].Read(typed); err != nil || got == 0 || polled[i].Revents&unix.POLLIN == 0 {
				polled[i].Fd = -1 // a console whose line is gone
				continue
			}
			for j, f := range consoles {
				if j != i {
					invite(f, "Connection sync is being set up on "+names[i]+".\r\n")
				}
			}
			return i, nil
		}
	}
	return 0, ErrNobody
}

// invite writes without waiting for a line that takes no output.
func invite(f *os.File, text string) {
	go func() { _, _ = f.WriteString(text) }()
}
