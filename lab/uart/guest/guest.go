package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/lab/uart/wire"
)

const device = "/dev/ttyS0"

// guest is the machine's service: two nodes with a link between them, and the
// serial line.
type guest struct {
	nodes map[string]*lab.Node
	lan   *lab.Namespace

	mu      sync.Mutex
	line    *os.File // held while a session is on the line, as a login shell does
	session *session
}

type session struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// newGuest gives both nodes an address on the sync link, and node A a network
// of its own besides, where its default route leaves.
func newGuest(a, b netip.Prefix) (*guest, error) {
	g := &guest{nodes: map[string]*lab.Node{}}
	for _, name := range []string{"fw-a", "fw-b"} {
		node, err := lab.NewNode(context.Background(), name)
		if err != nil {
			return nil, err
		}
		g.nodes[name] = node
	}
	var err error
	if g.lan, err = lab.NewNamespace(); err != nil {
		return nil, err
	}
	nodeA, nodeB := g.nodes["fw-a"], g.nodes["fw-b"]
	return g, errors.Join(
		lab.Veth(nodeA.Namespace, lab.SyncInterface, nodeB.Namespace, lab.SyncInterface),
		lab.Veth(nodeA.Namespace, lab.LANInterface, g.lan, "eth0"),
		address(nodeB.Namespace, lab.SyncInterface, b),
		address(nodeA.Namespace, lab.SyncInterface, a),
		address(g.lan, "eth0", netip.MustParsePrefix("10.1.0.1/24")),
		address(nodeA.Namespace, lab.LANInterface, netip.MustParsePrefix("10.1.0.2/24")),
		nodeA.Do(func() error { return netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(10, 1, 0, 1)}) }),
	)
}

func address(in *lab.Namespace, iface string, addr netip.Prefix) error {
	return in.Do(func() error {
		link, err := netlink.LinkByName(iface)
		if err != nil {
			return fmt.Errorf("find interface %s: %w", iface, err)
		}
		of := &netlink.Addr{IPNet: &net.IPNet{IP: addr.Addr().AsSlice(), Mask: net.CIDRMask(addr.Bits(), addr.Addr().BitLen())}}
		if err := netlink.AddrAdd(link, of); err != nil {
			return fmt.Errorf("add %s to %s: %w", addr, iface, err)
		}
		return netlink.LinkSetUp(link)
	})
}

// Run runs a program to its end and returns what it printed.
func (g *guest) Run(c wire.Command, out *string) error {
	node, ok := g.nodes[c.Node]
	if !ok {
		return fmt.Errorf("there is no node %q", c.Node)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	*out, err = node.Run(ctx, c.Args[0], c.Args[1:]...)
	return err
}

// Open puts a program on the line and returns what it finds there.
func (g *guest) Open(s wire.Session, found *wire.Line) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.line != nil {
		g.line.Close() // the session before
	}
	var err error
	if g.line, err = openLine(); err != nil {
		return err
	}
	fd := int(g.line.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	// A line with a modem, or whatever else can hang up.
	t.Cflag = t.Cflag&^(unix.CBAUD|unix.CLOCAL) | s.Speed
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	if *found, err = lineOf(g.line); err != nil {
		return err
	}
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	cmd.Env = append(os.Environ(), s.Environ...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = g.line, g.line, g.line
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := g.nodes["fw-a"].Start(cmd); err != nil {
		return err
	}
	g.session = &session{cmd: cmd, ended: make(chan struct{})}
	go func(s *session) {
		_ = s.cmd.Wait() // its state says how it ended
		close(s.ended)
	}(g.session)
	return nil
}

// openLine does not wait for a carrier, and leaves reads and writes waiting.
func openLine() (*os.File, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", device, err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), device), nil
}

func lineOf(f *os.File) (wire.Line, error) {
	fd := int(f.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return wire.Line{}, err
	}
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return wire.Line{}, err
	}
	queued, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	if err != nil {
		return wire.Line{}, err
	}
	// Counted first: what comes between the two calls is unread and not counted.
	counted, err := countsOf(f)
	if err != nil {
		return wire.Line{}, err
	}
	unread, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return wire.Line{
		Attributes: *t, Width: int(size.Col), Height: int(size.Row),
		Queued: queued, Received: int(counted[received]), Unread: unread,
	}, err
}

// Line is the line now, as whoever opens it next finds it.
func (g *guest) Line(_ wire.None, line *wire.Line) error {
	f, err := openLine()
	if err != nil {
		return err
	}
	defer f.Close()
	*line, err = lineOf(f)
	return err
}

// Rest waits until the driver has neither taken nor sent anything on the line
// for a while, and the UART has sent everything.
func (g *guest) Rest(p wire.Pause, _ *wire.None) error {
	f, err := openLine()
	if err != nil {
		return err
	}
	defer f.Close()
	before, since := counts{}, time.Now()
	for limit := since.Add(p.Within); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		now, err := countsOf(f)
		if err != nil {
			return err
		}
		state, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCSERGETLSR)
		if err != nil {
			return err
		}
		if now != before || state == 0 {
			before, since = now, time.Now()
		}
		if time.Since(since) >= p.Span {
			return nil
		}
	}
	return fmt.Errorf("the line has not come to rest within %v", p.Within)
}

// counts are what the driver of a serial line counts, such as the bytes that it has sent
// (serial_icounter_struct of linux/serial.h).
type counts [20]int32

// received is where among the counts the bytes from the line are.
const received = 4

func countsOf(f *os.File) (c counts, err error) {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.TIOCGICOUNT, uintptr(unsafe.Pointer(&c))); errno != 0 {
		return c, fmt.Errorf("read the counts of %s: %w", f.Name(), errno)
	}
	return c, nil
}

// Beat does nothing.
func (g *guest) Beat(wire.None, *wire.None) error { return nil }

func (g *guest) current() (*session, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.session == nil {
		return nil, errors.New("no program was put on the line")
	}
	return g.session, nil
}

// Wait waits for the end of the program on the line.
func (g *guest) Wait(within time.Duration, how *wire.Ended) error {
	s, err := g.current()
	if err != nil {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(within):
		return fmt.Errorf("the program on the line has not ended after %v", within)
	}
	how.Status = s.cmd.ProcessState.ExitCode()
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		how.Signal = int(status.Signal())
	}
	return nil
}

// Signal sends the program on the line a signal.
func (g *guest) Signal(signal int, _ *wire.None) error {
	s, err := g.current()
	if err != nil {
		return err
	}
	return s.cmd.Process.Signal(syscall.Signal(signal))
}

// HangUp does what the driver does when it loses the carrier (vhangup(2)).
func (g *guest) HangUp(wire.None, *wire.None) error {
	f, err := openLine()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCVHANGUP, 0); err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	return nil
}

// Say makes the kernel write a message to its console, whatever the log level.
func (g *guest) Say(text string, _ *wire.None) error { return say(text) }

// say ends the line: without that the kernel waits for the rest of it.
func say(text string) error { return os.WriteFile("/dev/kmsg", []byte("<0>"+text+"\n"), 0) }
