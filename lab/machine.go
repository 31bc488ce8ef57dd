package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Machine is a booted Debian with the packaged conntrackd and systemd, unless
// its options say otherwise, as its first process, in a container. It is a [Node] whose files,
// down to /, are its own: Run, Command, Enter, WriteFile and the others work
// in it, and lab.Veth connects its network. For a program on a terminal call
// pty.Start within Enter: the terminal is the machine's.
//
// Its files are a layer in memory above the tree of [NewDebian]. The layer
// and its mounts are in a mount namespace that ends with the machine, and the
// machine ends with the process that booted it, even when that is killed;
// what is left then, an empty directory and empty control groups, goes with
// the next Boot.
type Machine struct {
	*Node
	init    Init
	place   *place
	network *Namespace // owned; nil when it was given
	notify  *notifySocket
	console *console
	line    *consoleLine // nil where nobody is at the console
	prepare func(root string, run func(name string, args ...string) (string, error)) error
	halt    context.CancelFunc // nil until it was started
	halted  chan struct{}      // closed when nothing of it runs any more
	err     error              // why it halted; read after halted
	close   sync.Once
}

// UnhurriedHangUp are lines of a unit's drop-in for a program at [MachineOptions].Screen:
// a second passes between its end and the hang-up of the terminal, which throws away what
// nobody has read yet. A UART has sent it by then.
const UnhurriedHangUp = "TTYReset=no\nTTYVHangup=no\nExecStopPost=/bin/sleep 1\n"

// MachineOptions say how a machine is booted.
type MachineOptions struct {
	// Name is the host name; blank means "debian".
	Name string
	// Debian is what is installed.
	Debian Debian
	// Network is the machine's network namespace, such as a [Node]'s, with
	// the interfaces it has; it stays the caller's. Nil means a new one with
	// nothing but loopback. It lasts over a reboot.
	Network *Namespace
	// Screen is what the machine's console is shown on, and makes that console a
	// terminal that [Machine.Type] types at: of 0x0, as a serial port is, and with
	// TERM=vt220. It lasts over a reboot. Nil means that there is nobody.
	Screen io.Writer
	// Prepare is called with the root directory of the machine before its first
	// boot, and with what runs a program there.
	Prepare func(root string, run func(name string, args ...string) (string, error)) error
}

// Boot boots a machine and returns when everything is started. It needs root, systemd-nspawn and what [NewDebian] needs.
func Boot(ctx context.Context, opts MachineOptions) (*Machine, error) {
	m, err := PowerOn(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := m.Up(ctx); err != nil {
		m.Close()
		return nil, fmt.Errorf("boot machine %s: %w", m.name, err)
	}
	return m, nil
}

// PowerOn is Boot that does not wait: until [Machine.Up] has returned there is
// nothing but the console.
func PowerOn(ctx context.Context, opts MachineOptions) (*Machine, error) {
	root, err := opts.Debian.Tree(ctx)
	if err != nil {
		return nil, err
	}
	if opts.Name == "" {
		opts.Name = "debian"
	}
	m := &Machine{
		init:    opts.Debian.Init,
		Node:    &Node{name: opts.Name, root: -1, Namespace: &Namespace{handle: netns.None()}},
		console: &console{},
		halted:  make(chan struct{}),
	}
	if err := m.boot(ctx, root, opts); err != nil {
		m.Close()
		return nil, fmt.Errorf("boot machine %s: %w", opts.Name, err)
	}
	return m, nil
}

func (m *Machine) boot(ctx context.Context, tree string, opts MachineOptions) (err error) {
	m.prepare = opts.Prepare
	if opts.Screen != nil {
		if m.line, err = openConsoleLine(opts.Screen, m.console); err != nil {
			return err
		}
	}
	network := opts.Network
	if network == nil {
		if m.network, err = NewNamespace(); err != nil {
			return err
		}
		network = m.network
	}
	if m.place, err = newPlace(ctx, filepath.Join(cacheDirectory, "machines")); err != nil {
		return err
	}
	if m.notify, err = listenNotify(m.place.path("notify")); err != nil {
		return err
	}
	// The machine outlives the context of its boot.
	running, halt := context.WithCancel(context.WithoutCancel(ctx))
	m.halt = halt
	go func() {
		defer close(m.halted)
		m.err = onThread(func() error { return m.supervise(running, tree, network) })
	}()
	return nil
}

// Up waits until the machine is up, and opens it. A boot says so when it is, and
// may say it again, after a daemon-reload: what comes of the boot that is open
// already is passed over.
func (m *Machine) Up(ctx context.Context) error {
	for {
		select {
		case leader := <-m.notify.ready:
			if leader == m.pid {
				continue
			}
			if err := m.booted(ctx, leader); err != nil {
				return err
			}
			m.release()
			m.pid = leader
			if err := m.isElsewhere(); err != nil {
				return err
			}
			return m.open()
		case <-m.halted:
			return fmt.Errorf("it halted: %w: %s", m.err, m.console.tail())
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), m.console.tail())
		}
	}
}

// isElsewhere refuses a machine that would work on the files of this host.
func (m *Machine) isElsewhere() error {
	var own, its unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root/", m.pid)
	if err := errors.Join(unix.Stat("/", &own), unix.Stat(path, &its)); err != nil {
		return fmt.Errorf("look for the root directory of %s: %w", m.name, err)
	}
	if own.Dev == its.Dev && own.Ino == its.Ino {
		return fmt.Errorf("%s has the root directory of this host: systemd-nspawn could not give it its own", m.name)
	}
	return nil
}

// Reboot shuts the machine down in order and boots it again, with the files
// and the network that it has. Nothing else may use the machine meanwhile.
func (m *Machine) Reboot(ctx context.Context) error {
	// The connection to the first process may end before its answer; what counts is
	// that the machine comes back.
	out, asked := m.Run(ctx, "reboot")
	if err := m.Up(ctx); err != nil {
		return fmt.Errorf("reboot %s: %w (reboot: %v %s)", m.name, err, asked, out)
	}
	return nil
}

// Console is what the machine has written to its console so far, the newest
// 64 KiB of it.
func (m *Machine) Console() string { return m.console.tail() }

// Type types at the console, which needs a Screen.
func (m *Machine) Type(keys string) error {
	_, err := m.line.ptmx.WriteString(keys)
	return err
}

// CopyIn copies a file of the host into the machine, with its mode, and makes
// the directory there.
func (m *Machine) CopyIn(source, target string) (err error) {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	// A process that is forked meanwhile would hold the copy open, and the machine could
	// not run it ("text file busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var to *os.File
	err = m.Enter(func() (err error) {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		to, err = os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
		return err
	})
	if err != nil {
		return fmt.Errorf("copy %s into %s: %w", source, m.name, err)
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// Close ends the machine at once, as pulling its plug would, and removes its
// files. A second Close does nothing.
func (m *Machine) Close() error {
	var err error
	m.close.Do(func() {
		if m.halt != nil {
			m.halt()
			<-m.halted
		}
		if m.line != nil {
			m.line.close()
		}
		m.release()
		if m.notify != nil {
			err = errors.Join(err, m.notify.Close())
		}
		if m.place != nil {
			err = errors.Join(err, m.place.remove())
		}
		if m.network != nil {
			err = errors.Join(err, m.network.Close())
		}
	})
	return err
}

// console keeps the end of what was written to it.
type console struct {
	mu   sync.Mutex
	text []byte
}

func (c *console) Write(p []byte) (int, error) {
	const most = 64 << 10
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	if over := len(c.text) - most; over > 0 {
		c.text = append(c.text[:0], c.text[over:]...)
	}
	return len(p), nil
}

func (c *console) tail() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(bytes.TrimSpace(c.text))
}
