package trial

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/trust"
)

// dryStartTimeout is how long a started daemon may take to answer; it takes
// 0.1 s, and more only for a huge HashSize.
const dryStartTimeout = 20 * time.Second

// DryStart starts the candidate for real: in a network namespace of its own
// that has interfaces with the candidate's names and addresses, with private
// lock file, control socket and log, and ends it once it serves. It catches
// what the parser lets through: a daemon that listens elsewhere than it
// should, an address or interface it refuses, a HashSize that crashes it.
// What it cannot catch is what only the host knows: whether the port is free
// here and whether interface and address are.
//
// The error is [conntrackd.ErrCannotLook] when it could not be tried, such as without
// CAP_SYS_ADMIN or without the daemon; it is never nil then.
func DryStart(ctx context.Context, c *conntrackd.Candidate) error {
	path, err := service.FindBinary(c.Binary)
	if err != nil {
		return err
	}
	file, _ := conntrackd.Parse(c.Path, c.New)
	if end := file.SilentEnd(); end >= 0 {
		// The private paths could not be given to the daemon behind that byte.
		return fmt.Errorf("dry start: conntrackd would not read beyond byte %d", end)
	}
	dir, done, err := anonymousDirectory()
	if err != nil {
		return fmt.Errorf("%w: dry start: %w", conntrackd.ErrCannotLook, err)
	}
	defer done()
	trial := &trial{binary: path, dir: dir, settings: c.Settings, file: file}
	return onThread(func() error { return trial.run(ctx) })
}

// onThread runs fn on a thread that ends with it and takes its namespaces
// along. The process's main thread cannot end, so it is never used.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good
		if unix.Gettid() == unix.Getpid() {
			// While the main thread is held here the next one is another.
			err := onThread(fn)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- fn()
	}()
	return <-done
}

// trial is one dry start.
type trial struct {
	binary   string
	dir      *os.File // an anonymousDirectory
	settings conntrackd.Settings
	file     *conntrackd.File // the candidate
	output   bytes.Buffer
}

// path is that of one of the daemon's files, seen from here.
func (t *trial) path(name string) string { return filepath.Join(inherited(int(t.dir.Fd())), name) }

// daemonPath is the same, seen by the daemon.
func daemonPath(name string) string { return filepath.Join(inherited(firstExtra), name) }

// run must be called on a thread that can be thrown away; the daemon's
// parent-death signal ends it with that thread at the latest.
func (t *trial) run(ctx context.Context) error {
	if err := t.namespace(); err != nil {
		return fmt.Errorf("%w: dry start: %w", conntrackd.ErrCannotLook, err)
	}
	path := t.path("conntrackd.conf")
	if err := os.WriteFile(path, t.privateContent(), 0o600); err != nil {
		return fmt.Errorf("%w: dry start: %w", conntrackd.ErrCannotLook, hostfile.Explain(path, err))
	}
	cmd := trust.Command(context.WithoutCancel(ctx), t.binary, "-C", daemonPath("conntrackd.conf"))
	cmd.Stdout, cmd.Stderr = &t.output, &t.output
	cmd.ExtraFiles = []*os.File{t.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: dry start: %w", conntrackd.ErrCannotLook, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err := t.watch(ctx, cmd.Process.Pid, ended)
	t.end(cmd.Process, ended)
	return err
}

// privateContent is the candidate with nothing in it that another daemon
// could feel. The last of two equal directives counts.
func (t *trial) privateContent() []byte {
	private, _ := conntrackd.Parse(t.file.Name(), t.file.Bytes())
	private.ReplaceValues(map[string]string{
		"Path":    daemonPath("ctl"),
		"LogFile": "off",
		"Syslog":  "off",
	})
	return fmt.Appendf(private.Bytes(), "\nGeneral {\n LockFile %s\n UNIX {\n  Path %s\n }\n}\n", daemonPath("lock"), daemonPath("ctl"))
}

// namespace moves the calling thread into a new network namespace and builds
// the candidate's links there.
func (t *trial) namespace() error {
	handle, err := netns.New()
	if err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	defer handle.Close()
	links := map[string][]netip.Prefix{t.settings.Interface: {t.settings.Current}}
	for _, l := range t.file.Links() {
		// The link that the settings describe has to be right as it stands.
		if l.Interface == "" || slices.Contains(l.Addresses, t.settings.Current.Addr()) {
			continue
		}
		for _, addr := range l.Addresses {
			if !addr.IsMulticast() {
				links[l.Interface] = append(links[l.Interface], netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	n := 0
	for name, prefixes := range links {
		if err := addLink(name, fmt.Sprintf("connsync-end%d", n), prefixes); err != nil {
			return err
		}
		n++
	}
	return nil
}

func addLink(name, peer string, prefixes []netip.Prefix) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peer}); err != nil {
		return fmt.Errorf("make interface %s: %w", name, err)
	}
	for _, end := range []string{peer, name} {
		link, err := netlink.LinkByName(end)
		if err != nil {
			return fmt.Errorf("find interface %s: %w", end, err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set interface %s up: %w", end, err)
		}
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	for _, p := range prefixes {
		if err := addAddress(link, p); err != nil {
			return fmt.Errorf("give %s to interface %s: %w", p, name, err)
		}
	}
	return nil
}

func addAddress(link netlink.Link, p netip.Prefix) error {
	addr := p.Addr().WithZone("").Unmap()
	bits := p.Bits()
	if bits < 0 {
		bits = addr.BitLen()
	}
	parsed, err := netlink.ParseAddr(netip.PrefixFrom(addr, bits).String())
	if err != nil {
		return err
	}
	if addr.Is6() {
		parsed.Flags = unix.IFA_F_NODAD // else it cannot be bound for a second
	}
	return netlink.AddrAdd(link, parsed)
}

// watch waits until the daemon serves its control socket, then looks where it
// listens.
func (t *trial) watch(ctx context.Context, pid int, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, dryStartTimeout)
	defer cancel()
	client := control.NewClient(t.path("ctl"))
	for {
		select {
		case err := <-ended:
			return t.refused(err)
		case <-ctx.Done():
			return fmt.Errorf("%w: dry start: conntrackd does not answer: %w", conntrackd.ErrCannotLook, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
		if _, err := client.Links(ctx); err == nil {
			return t.listening(pid)
		}
	}
}

// listening runs on the locked thread, so that the kernel answers for the
// trial's namespace.
func (t *trial) listening(pid int) error {
	sockets, err := health.ReadSockets(pid, t.settings)
	switch {
	case err != nil:
		return fmt.Errorf("dry start: %w", err)
	case sockets.Bound:
		return nil
	case sockets.Address == "":
		return fmt.Errorf("dry start: conntrackd starts but opens no sync socket")
	}
	return fmt.Errorf("dry start: conntrackd would listen on %s, not on %s",
		sockets.Address, netip.AddrPortFrom(t.settings.Current.Addr(), t.settings.Port))
}

// refused tells the daemon's reason for not starting.
func (t *trial) refused(end error) error {
	how := "exit status 0"
	if end != nil {
		how = service.ExitReason(end)
	}
	said := service.DaemonLines(service.Messages(t.output.Bytes()))
	if len(said) == 0 {
		return fmt.Errorf("dry start: conntrackd does not start: %s", how)
	}
	return fmt.Errorf("dry start: conntrackd does not start: %s (%s)", strings.Join(said, "; "), how)
}

// end stops the daemon, gently first, and returns when it is gone.
func (t *trial) end(process *os.Process, ended <-chan error) {
	if process.Signal(syscall.SIGTERM) != nil {
		return // already gone
	}
	select {
	case <-ended:
	case <-time.After(2 * time.Second):
		_ = process.Kill()
		<-ended
	}
}
