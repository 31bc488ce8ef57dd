// Package uart puts a program at the end of a real serial line: an emulated
// machine boots Debian's kernel, whose driver works the line's UART. Its
// far end is a terminal of the test.
package uart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/lab/tty"
	"connsync/lab/uart/wire"
)

// The machine's nodes.
const (
	NodeA = "fw-a"
	NodeB = "fw-b"
)

// Program is where connsync stands in the machine.
const Program = "/usr/sbin/connsync"

// Options of a machine. All are needed.
type Options struct {
	// Guest and Connsync are the machine's first process
	// (connsync/lab/uart/guest) and the program, both static.
	Guest, Connsync string
	// Rate is how many bytes a second the serial line carries. The emulated
	// UART takes any number by itself; this one has to wait, as a real one
	// does, until the line has taken what it was given.
	Rate int
	// Width and Height are those of the terminal, of which the machine's
	// kernel knows nothing.
	Width, Height int
}

// Machine is an emulated machine with a terminal on its first serial line,
// which is the kernel's console too, and two nodes inside that have a sync
// link. It ends with the process that booted it.
type Machine struct {
	*tty.Terminal
	line   net.Conn
	calls  net.Conn
	guest  *rpc.Client
	halt   context.CancelFunc
	halted chan struct{}
	err    error // why it halted; read after halted
	log    bytes.Buffer
	dir    string
	// connsync is the program's file on this side.
	connsync string
}

// Boot boots a machine and returns when its nodes are there. It needs root
// and qemu, and what [lab.NewKernel] needs.
func Boot(ctx context.Context, opts Options) (*Machine, error) {
	kernel, err := lab.NewKernel(ctx)
	if err != nil {
		return nil, err
	}
	m := &Machine{halted: make(chan struct{}), connsync: opts.Connsync}
	if err := m.boot(ctx, kernel, opts); err != nil {
		err = fmt.Errorf("boot a machine: %w", err)
		if m.Terminal != nil {
			err = fmt.Errorf("%w; its console shows:\n%s", err, m.Shows())
		}
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Machine) boot(ctx context.Context, kernel lab.Kernel, opts Options) (err error) {
	if m.dir, err = os.MkdirTemp("", "connsync-uart-"); err != nil {
		return err
	}
	files := filepath.Join(m.dir, "files")
	if err := writeFiles(files, kernel, opts); err != nil {
		return err
	}
	line, lineEnd, err := newLine(1)
	if err != nil {
		return err
	}
	defer lineEnd.Close()
	m.line = line
	calls, callsEnd, err := newLine(1 << 16)
	if err != nil {
		return err
	}
	defer callsEnd.Close()
	m.Terminal = tty.NewTerminal(line, opts.Width, opts.Height, opts.Rate)
	m.calls = calls
	m.start(ctx, kernel, files, lineEnd, callsEnd)
	return m.up(ctx)
}

// writeFiles makes the file system that the kernel begins with.
func writeFiles(path string, kernel lab.Kernel, opts Options) error {
	a := newArchive()
	for target, source := range map[string]string{"/init": opts.Guest, Program: opts.Connsync} {
		if err := a.add(source, target); err != nil {
			return err
		}
	}
	for _, name := range []string{"conntrackd", "conntrack", "busybox"} {
		if err := a.addProgram(name); err != nil {
			return err
		}
	}
	modules, err := kernelModules(kernel.Modules, "overlay", "veth", "nf_conntrack", "nf_conntrack_netlink", "nf_tables", "udp_diag")
	if err != nil {
		return err
	}
	for i, content := range modules {
		a.write(fmt.Sprintf("/modules/%02d", i), content)
	}
	for _, dir := range []string{"/bin", "/etc", "/var/lib", "/var/log", "/usr/bin"} {
		a.directory(dir)
	}
	a.link("/var/run", "/run")
	a.link("/var/lock", "/run/lock")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = a.WriteTo(f)
	return errors.Join(err, f.Close())
}

// newLine returns both ends of a line, and holds about as many bytes as asked
// for of what the second end, the machine's, has written and nobody has read
// yet. The least that a socket can do is a few; then the UART has to wait.
func newLine(held int) (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	here, there := os.NewFile(uintptr(fds[0]), "line"), os.NewFile(uintptr(fds[1]), "line")
	defer here.Close()
	if err := unix.SetsockoptInt(fds[1], unix.SOL_SOCKET, unix.SO_SNDBUF, held); err != nil {
		there.Close()
		return nil, nil, err
	}
	conn, err := net.FileConn(here)
	if err != nil {
		there.Close()
		return nil, nil, err
	}
	return conn, there, nil
}

// start runs the emulator, on a thread that lasts as long: its death is bound
// to that thread's.
//
//   - -icount: the machine's clock counts its instructions, 2 ns each, while it
//     works. However busy this host is, nothing times out in the machine that
//     would not on a real one of that speed.
//   - panic=-1: a first process that cannot begin ends the machine, which
//     -no-reboot does not start again.
//   - fd=3 and fd=4 are the files of ExtraFiles.
func (m *Machine) start(ctx context.Context, kernel lab.Kernel, files string, line, calls *os.File) {
	running, halt := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the context of its boot
	m.halt = halt
	cmd := exec.CommandContext(running, "qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "pc,accel=tcg", "-icount", "shift=1,sleep=on", "-m", "256",
		"-kernel", kernel.Image, "-initrd", files,
		"-append", "console=ttyS0,9600 quiet panic=-1 mitigations=off",
		"-chardev", "socket,id=line,fd=3", "-serial", "chardev:line",
		"-chardev", "socket,id=calls,fd=4", "-serial", "chardev:calls")
	cmd.ExtraFiles = []*os.File{line, calls}
	cmd.Stdout, cmd.Stderr = &m.log, &m.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	cmd.WaitDelay = 5 * time.Second
	started := make(chan struct{})
	go func() {
		defer close(m.halted)
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		err := cmd.Start()
		close(started)
		if err == nil {
			err = cmd.Wait()
		}
		if err == nil {
			err = errors.New("the machine was switched off")
		}
		m.err = err
	}()
	<-started // the caller's copies of the lines' ends may be closed now
}

// up waits until the machine is ready for calls.
func (m *Machine) up(ctx context.Context) error {
	ready := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(m.calls, make([]byte, len(wire.Ready)))
		ready <- err
	}()
	select {
	case err := <-ready:
		if err != nil {
			return err
		}
		m.guest = rpc.NewClient(m.calls)
		go m.beat()
		return nil
	case <-m.halted:
		return fmt.Errorf("it halted: %w: %s", m.err, m.log.String())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// beat keeps the emulator awake. With -icount, on a busy host, it misses once in
// a while that the line takes bytes again, and stands still, its clock too, until
// something else comes in.
func (m *Machine) beat() {
	for m.call("Beat", wire.None{}, &wire.None{}) == nil {
		time.Sleep(100 * time.Millisecond)
	}
}

// call waits for the machine's answer as long as the machine runs.
func (m *Machine) call(method string, args, reply any) error {
	answer := m.guest.Go(wire.Service+"."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-answer.Done:
		return answer.Error
	case <-m.halted:
		return fmt.Errorf("%s: the machine halted: %w: %s", method, m.err, m.log.String())
	}
}

// Run runs a program in a node and returns what it printed.
func (m *Machine) Run(node string, args ...string) (string, error) {
	var out string
	err := m.call("Run", wire.Command{Node: node, Args: args}, &out)
	return out, err
}

// Open puts a program on the serial line, in node A, and returns the line as
// the program finds it.
func (m *Machine) Open(s wire.Session) (wire.Line, error) {
	var found wire.Line
	err := m.call("Open", s, &found)
	return found, err
}

// Line is the serial line as its driver has it.
func (m *Machine) Line() (wire.Line, error) {
	var line wire.Line
	err := m.call("Line", wire.None{}, &line)
	return line, err
}

// Rest waits until nothing has come and gone on the serial line for that long,
// by the machine's own clock, which is slow where its host is busy, and the
// terminal has everything.
func (m *Machine) Rest(span, within time.Duration) error {
	if err := m.call("Rest", wire.Pause{Span: span, Within: within}, &wire.None{}); err != nil {
		return err
	}
	m.Quiet(100*time.Millisecond, within) // the few bytes that the line itself holds
	return nil
}

// Wait waits for the end of the program on the line.
func (m *Machine) Wait(within time.Duration) (wire.Ended, error) {
	var how wire.Ended
	err := m.call("Wait", within, &how)
	return how, err
}

// Signal sends the program on the line a signal.
func (m *Machine) Signal(s syscall.Signal) error {
	return m.call("Signal", int(s), &wire.None{})
}

// HangUp does to the line what the driver does when it loses the carrier.
func (m *Machine) HangUp() error { return m.call("HangUp", wire.None{}, &wire.None{}) }

// Say makes the kernel write a message to its console.
func (m *Machine) Say(text string) error { return m.call("Say", text, &wire.None{}) }

// Close switches the machine off.
func (m *Machine) Close() error {
	var errs []error
	if m.halt != nil {
		m.halt()
		<-m.halted
	}
	if m.calls != nil {
		errs = append(errs, m.calls.Close())
	}
	if m.Terminal != nil {
		m.Go()
		errs = append(errs, m.line.Close(), m.Terminal.Close())
	}
	if m.dir != "" {
		errs = append(errs, os.RemoveAll(m.dir))
	}
	return errors.Join(errs...)
}
