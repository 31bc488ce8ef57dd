package netcheck

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// target is a Target in the words of a test. An address without a length has
// an unknown one.
type target struct {
	Interface, Current, Peer string
	Port                     uint16
	FirstNode, Enabled       bool
	DaemonPIDs               []int
	Virtual                  []netip.Addr
}

func (t target) Target() Target {
	return Target{firewall.Flow{Interface: t.Interface, Current: prefix(t.Current), Peer: prefix(t.Peer), Port: t.Port}, t.FirstNode, t.Enabled, t.DaemonPIDs, t.Virtual}
}

// checkTarget and listInterfaces run in processes of their own, see TestMain.
func checkTarget(ctx context.Context, t target) (check.Report, error) {
	return check.Run(ctx, Plan(t.Target()), nil), nil
}

func listInterfaces(ctx context.Context, _ struct{}) ([]Interface, error) { return Interfaces(ctx) }

// wired is two hosts, a and b, and a wire from a's eth1 to b's eth1.
type wired struct {
	t    *testing.T
	a, b *lab.Namespace
}

// newWired makes a pair in which every check passes on a for one family: b has
// the peer's address and a socket on port 3780.
func newWired(t *testing.T, family int) (*wired, target) {
	t.Helper()
	l := &wired{t, namespace(t), namespace(t)}
	l.wire("eth1", "eth1")
	settings := target{Interface: "eth1", Current: "10.0.0.101/24", Peer: "10.0.0.102/24", Port: 3780}
	if family == 6 {
		settings.Current, settings.Peer = "fd00::101/64", "fd00::102/64"
	}
	l.address(l.a, settings.Current, "eth1")
	l.address(l.b, settings.Peer, "eth1")
	l.run(l.a, "sysctl -qw net.netfilter.nf_conntrack_events=1")
	l.listen(l.b, prefix(settings.Peer).Addr().String())
	return l, settings
}

// namespace makes a network namespace for one test.
func namespace(t *testing.T) *lab.Namespace {
	t.Helper()
	n, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test makes network namespaces and needs root: %v", err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// wire connects a new interface of a with a new one of b, both up.
func (l *wired) wire(nameA, nameB string) {
	l.t.Helper()
	if err := lab.Veth(l.a, nameA, l.b, nameB); err != nil {
		l.t.Fatal(err)
	}
	l.run(l.a, "ip link set dev "+nameA+" up")
	l.run(l.b, "ip link set dev "+nameB+" up")
}

func (l *wired) address(n *lab.Namespace, address, name string) {
	l.t.Helper()
	options := ""
	if strings.Contains(address, ":") {
		options = " nodad"
	}
	l.run(n, "ip address add "+address+" dev "+name+options)
}

// run runs commands, separated by newlines, in a namespace.
func (l *wired) run(n *lab.Namespace, commands string) {
	l.t.Helper()
	for command := range strings.Lines(commands) {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if out, err := n.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			l.t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
}

// listen takes the port of the peer's daemon, as that would, and reads.
func (l *wired) listen(n *lab.Namespace, address string) {
	l.t.Helper()
	err := n.Do(func() error {
		conn, err := net.ListenPacket("udp", net.JoinHostPort(address, "3780"))
		if err != nil {
			return err
		}
		l.t.Cleanup(func() { conn.Close() })
		go io.Copy(io.Discard, conn.(*net.UDPConn))
		return nil
	})
	if err != nil {
		l.t.Fatalf("listen on %s: %v", address, err)
	}
}

// check runs the whole plan on a.
func (l *wired) check(settings target) check.Report {
	l.t.Helper()
	var report check.Report
	if err := lab.Call(l.t.Context(), l.a, "check", settings, &report); err != nil {
		l.t.Fatal(err)
	}
	return report
}
