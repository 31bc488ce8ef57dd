package lab

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func newPair(t *testing.T, opts Options) *Pair {
	t.Helper()
	p, err := NewPair(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, p *Pair, count int) *Connections {
	t.Helper()
	c, err := p.Connect(within(t, time.Minute), count)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if alive := c.Alive(time.Minute); alive != count {
		t.Fatalf("%d of %d connections alive at the start", alive, count)
	}
	return c
}

func TestConnectionsReplicateBothWays(t *testing.T) {
	p := newPair(t, Options{})
	if err := p.StartDaemons(within(t, 2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	first := connect(t, p, 20)
	if err := p.B.WaitEstablished(within(t, time.Minute), first); err != nil {
		t.Error(err)
	}
	if err := p.Activate(p.B); err != nil {
		t.Fatal(err)
	}
	if alive := first.Alive(time.Minute); alive != 20 {
		t.Errorf("after the failover %d of 20 connections are alive", alive)
	}
	second := connect(t, p, 20)
	if err := p.A.WaitEstablished(within(t, time.Minute), second); err != nil {
		t.Error(err)
	}
}

// Without sync nothing may survive, or the pair could prove nothing.
func TestNothingSurvivesWithoutSync(t *testing.T) {
	for _, test := range []struct {
		name string
		opts Options
	}{{"plain", Options{}}, {"nat", Options{NAT: true}}} {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, test.opts)
			c := connect(t, p, 5)
			if got, err := p.A.Established(c); err != nil || got != 5 {
				t.Errorf("A has %d of 5 connections, %v", got, err)
			}
			if got, err := p.B.Established(c); err != nil || got != 0 {
				t.Errorf("B has %d connections, %v; want none", got, err)
			}
			if err := p.Activate(p.B); err != nil {
				t.Fatal(err)
			}
			if alive := c.Alive(2 * time.Second); alive != 0 {
				t.Errorf("%d connections went on over B without sync", alive)
			}
			if err := p.Activate(p.A); err != nil {
				t.Fatal(err)
			}
			if alive := c.Alive(time.Minute); alive != 5 {
				t.Errorf("back on A %d of 5 are alive", alive)
			}
		})
	}
}

func TestNATKeepsItsTranslationAcrossAFailover(t *testing.T) {
	p := newPair(t, Options{NAT: true})
	if err := p.StartDaemons(within(t, 2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	c := connect(t, p, 10)
	if err := p.B.WaitEstablished(within(t, time.Minute), c); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{p.A.Port} {
		for _, s := range []*Switch{p.LAN, p.WAN} {
			if err := s.Cut(port); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Activate(p.B); err != nil {
		t.Fatal(err)
	}
	if alive := c.Alive(time.Minute); alive != 10 {
		t.Errorf("%d of 10 connections are alive on B", alive)
	}
}

func TestFaults(t *testing.T) {
	p := newPair(t, Options{IPv6: true})
	carrier := func(m *Member) string {
		return run(t, m.Node, "cat", "/sys/class/net/"+SyncInterface+"/operstate")
	}
	if !passes(t, p.A, p.B, p.B.Sync, 100) || !passes(t, p.B, p.A, p.A.Sync6, 100) {
		t.Fatal("the sync link does not work to begin with")
	}

	if err := p.Sync.Cut("a"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "A to lose its carrier", func() bool { return carrier(p.A) == "down" })
	if got := carrier(p.B); got != "up" {
		t.Errorf("B's sync interface is %s with A's cable cut", got)
	}
	if err := p.Sync.Mend("a"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the link to work again", func() bool { return passes(t, p.A, p.B, p.B.Sync, 100) })

	if err := p.Sync.Drop("a", "ip protocol 17"); err != nil {
		t.Fatal(err)
	}
	if passes(t, p.A, p.B, p.B.Sync, 100) {
		t.Error("a datagram from A passed the filter")
	}
	if !passes(t, p.B, p.A, p.A.Sync, 100) {
		t.Error("the filter for one direction stopped the other")
	}
	if !passes(t, p.A, p.B, p.B.Sync6, 100) {
		t.Error("the filter for IPv4 stopped IPv6")
	}
	if err := p.Sync.Deliver(); err != nil {
		t.Fatal(err)
	}
	if !passes(t, p.A, p.B, p.B.Sync, 100) {
		t.Error("no datagram after the filter was taken away")
	}
	if err := p.Sync.Drop("a", "no such condition"); err == nil {
		t.Error("a condition that nft does not know was taken")
	}
}

func TestMTU(t *testing.T) {
	for _, test := range []struct {
		mtu, size int
		want      bool
	}{{0, 1472, true}, {0, 1473, false}, {9000, 8972, true}, {9000, 8973, false}} {
		p := newPair(t, Options{MTU: test.mtu})
		if got := passes(t, p.A, p.B, p.B.Sync, test.size); got != test.want {
			t.Errorf("MTU %d: a datagram of %d bytes passes: %t, want %t", test.mtu, test.size, got, test.want)
		}
	}
}

// passes reports whether an unfragmented datagram gets from one node to an
// address of the other.
func passes(t *testing.T, from, to *Member, address netip.Prefix, size int) bool {
	t.Helper()
	var in, out net.PacketConn
	listen := func(n *Node, conn *net.PacketConn, addr string) {
		err := n.Do(func() (err error) {
			*conn, err = net.ListenPacket("udp", addr)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	listen(to.Node, &in, netip.AddrPortFrom(address.Addr(), 9).String())
	defer in.Close()
	listen(from.Node, &out, ":0")
	defer out.Close()
	raw, err := out.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteTo(make([]byte, size), in.LocalAddr()); err != nil {
		return false
	}
	in.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	n, _, err := in.ReadFrom(make([]byte, 65536))
	return err == nil && n == size
}

func TestPairsDoNotCollide(t *testing.T) {
	first, second := newPair(t, Options{}), newPair(t, Options{})
	if err := first.StartDaemons(within(t, 2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	c := connect(t, first, 3)
	d := connect(t, second, 3)
	if err := first.B.WaitEstablished(within(t, time.Minute), c); err != nil {
		t.Error(err)
	}
	if got, err := second.B.Established(d); err != nil || got != 0 {
		t.Errorf("a pair without daemons has %d connections on its backup, %v", got, err)
	}
	if pids, err := second.A.Processes("conntrackd"); err != nil || len(pids) != 0 {
		t.Errorf("the second pair sees daemons %v, %v", pids, err)
	}
}

// A pair that is closed leaves no descriptor open and so no namespace alive.
func TestPairCloseLetsGoOfEverything(t *testing.T) {
	p := newPair(t, Options{})
	spaces := map[string]bool{}
	for _, m := range []*Member{p.A, p.B} {
		for _, s := range m.spaces {
			spaces[namespaceOf(s.fd)] = true
		}
	}
	for _, n := range []*Namespace{p.Client, p.Server, p.LAN.Namespace, p.WAN.Namespace, p.Sync.Namespace} {
		spaces[namespaceOf(int(n.handle))] = true
	}
	c := connect(t, p, 3)
	c.Close()
	before := holders(t, spaces)
	if len(before) == 0 {
		t.Fatal("nobody holds the namespaces of a pair")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	// A thread that was in a namespace ends a moment after its function.
	waitFor(t, "every namespace to be let go of", func() bool { return len(left(t, before, spaces)) == 0 })
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestTraffic(t *testing.T) {
	type result struct {
		Sent, Received uint64
		OK             bool
	}
	const sample = "UDP traffic (active device=sync0):\n               21024 Bytes sent                  112 Bytes recv\n" +
		"                 352 Pckts sent                    7 Pckts recv\n"
	for _, test := range []struct {
		in   string
		want result
	}{
		{sample, result{352, 7, true}},
		{"", result{}},
		{strings.ReplaceAll(sample, "352", "99999999999999999999"), result{Sent: 1<<64 - 1, Received: 7}},
	} {
		var got result
		got.Sent, got.Received, got.OK = traffic(test.in)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("traffic(%q) (-want +got):\n%s", test.in, diff)
		}
	}
}
