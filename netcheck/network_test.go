package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// testNet is this node and its peer on a switch, on their interfaces eth1, with
// addresses of both families.
type testNet struct {
	t        testing.TB
	sync     *lab.Switch
	own      *lab.Namespace
	peer     *lab.Namespace
	port     uint16
	families map[int]Target
}

const (
	own4, peer4 = "10.9.0.1/24", "10.9.0.2/24"
	own6, peer6 = "fd09::1/64", "fd09::2/64"
)

// newTestNet makes the network. mtu is that of both interfaces.
func newTestNet(t testing.TB, mtu int) *testNet {
	t.Helper()
	n := &testNet{t: t, port: 3780}
	var err error
	if n.sync, err = lab.NewSwitch(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.sync.Close() })
	n.own, n.peer = n.host("own", "eth1", mtu, own4, own6), n.host("peer", "eth1", mtu, peer4, peer6)
	n.families = map[int]Target{
		4: {Flow: firewall.Flow{Interface: "eth1", Current: netip.MustParsePrefix(own4), Peer: netip.MustParsePrefix(peer4), Port: n.port}},
		6: {Flow: firewall.Flow{Interface: "eth1", Current: netip.MustParsePrefix(own6), Peer: netip.MustParsePrefix(peer6), Port: n.port}},
	}
	return n
}

// host plugs one more host into the switch, at the port of that name.
func (n *testNet) host(name, iface string, mtu int, addresses ...string) *lab.Namespace {
	n.t.Helper()
	h, err := lab.NewNamespace()
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { h.Close() })
	// Duplicate address detection would take a second for every address.
	n.run(h, "sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0")
	n.plug(h, name, iface, mtu, addresses...)
	return h
}

// plug lays a cable to a new interface of h.
func (n *testNet) plug(h *lab.Namespace, port, iface string, mtu int, addresses ...string) {
	n.t.Helper()
	if err := n.sync.Plug(port, h, iface, mtu); err != nil {
		n.t.Fatal(err)
	}
	for _, a := range addresses {
		n.address(h, iface, a)
	}
}

func (n *testNet) address(h *lab.Namespace, iface, address string) {
	n.t.Helper()
	n.run(h, "ip", "address", "add", address, "dev", iface)
}

func (n *testNet) run(h *lab.Namespace, name string, args ...string) string {
	n.t.Helper()
	out, err := h.Command(name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// nft loads rules into a host.
func (n *testNet) nft(h *lab.Namespace, rules string) {
	n.t.Helper()
	cmd := h.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("nft: %v: %s\n%s", err, out, rules)
	}
}

// start starts a program in a host, until the end of the test.
func (n *testNet) start(h *lab.Namespace, name string, args ...string) *exec.Cmd {
	n.t.Helper()
	cmd := h.Command(name, args...)
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// plan runs the whole plan on this node.
func (n *testNet) plan(t *testing.T, target Target) check.Report {
	t.Helper()
	return planIn(t, n.own, target)
}

// expected is how one check ended; words are looked for in detail and remedy.
type expected struct {
	id     check.ID
	status check.Status
	detail string
	remedy string
}

// mustFind compares what did not pass and was not skipped with what should
// have, in any order: the right check fails, and no unrelated one.
func mustFind(t *testing.T, report check.Report, want ...expected) {
	t.Helper()
	var got, ids []check.ID
	for _, r := range report.Results {
		if r.Status != check.Passed && r.Status != check.Skipped {
			got = append(got, r.ID)
		}
	}
	for _, w := range want {
		ids = append(ids, w.id)
	}
	if diff := cmp.Diff(ids, got, cmpopts.SortSlices(func(a, b check.ID) bool { return a < b }), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("checks that did not pass (-want +got):\n%s%s", diff, format(report))
	}
	for _, w := range want {
		r, ok := report.Result(w.id)
		switch {
		case !ok:
		case r.Status != w.status:
			t.Errorf("%s is %v, want %v: %s", w.id, r.Status, w.status, r.Detail)
		case !strings.Contains(r.Detail, w.detail):
			t.Errorf("%s says %q, want %q in it", w.id, r.Detail, w.detail)
		case !strings.Contains(r.Remedy, w.remedy) || r.Remedy == "":
			t.Errorf("%s advises %q, want %q in it", w.id, r.Remedy, w.remedy)
		}
	}
}

// format prints a report for a person who reads a failed test.
func format(report check.Report) string {
	var b strings.Builder
	for _, r := range report.Results {
		fmt.Fprintf(&b, "%-22s %-8v %6.1f ms  %s\n", r.ID, r.Status, float64(r.Took.Microseconds())/1000, r.Detail)
		if r.Remedy != "" {
			fmt.Fprintf(&b, "%40s> %s\n", "", r.Remedy)
		}
	}
	return b.String()
}

// eachFamily runs a test over IPv4 and over IPv6, on a network of its own each.
func eachFamily(t *testing.T, mtu int, test func(t *testing.T, n *testNet, target Target)) {
	for _, family := range []int{4, 6} {
		inFamily(t, family, mtu, test)
	}
}

func inFamily(t *testing.T, family, mtu int, test func(t *testing.T, n *testNet, target Target)) {
	t.Run(fmt.Sprintf("ipv%d", family), func(t *testing.T) {
		t.Parallel()
		n := newTestNet(t, mtu)
		n.settle(n.own, n.peer)
		test(t, n, n.families[family])
	})
}

// silence lets nothing over the wire of this node's eth1, either way: the peer,
// which asks for this node by itself now and then, would be heard there.
func (n *testNet) silence() {
	n.t.Helper()
	if err := errors.Join(n.sync.Drop("own", ""), n.sync.Drop("peer", `oifname "own"`)); err != nil {
		n.t.Fatal(err)
	}
}

// settle waits until no address of the hosts is tentative.
func (n *testNet) settle(hosts ...*lab.Namespace) {
	n.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, h := range hosts {
		for strings.TrimSpace(n.run(h, "ip", "-6", "address", "show", "tentative")) != "" {
			if time.Now().After(deadline) {
				n.t.Fatalf("still tentative:\n%s", n.run(h, "ip", "-6", "address", "show", "tentative"))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// listen opens a UDP socket in a host that reads nothing, until the end of the
// test.
func (n *testNet) listen(h *lab.Namespace, at string) {
	n.t.Helper()
	conn := n.opened(h, at)
	n.t.Cleanup(func() { conn.Close() })
}

func (n *testNet) opened(h *lab.Namespace, at string) (conn net.PacketConn) {
	n.t.Helper()
	err := h.Do(func() (err error) {
		// The last listener lives on for a moment in processes that other
		// tests are just starting.
		for range 100 {
			if conn, err = net.ListenPacket("udp", at); !errors.Is(err, unix.EADDRINUSE) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return conn
}

// at is an address of the target with the sync port.
func at(p netip.Prefix) string { return netip.AddrPortFrom(p.Addr(), 3780).String() }

// ask runs one check on this node. The check must not need goroutines in its
// namespace.
func (n *testNet) ask(t *testing.T, ask func(context.Context) check.Finding) check.Finding {
	t.Helper()
	var f check.Finding
	if err := n.own.Do(func() error {
		f = ask(t.Context())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

// mac is the hardware address of an interface.
func (n *testNet) mac(h *lab.Namespace, iface string) string {
	n.t.Helper()
	f := strings.Fields(n.run(h, "ip", "-brief", "link", "show", "dev", iface))
	if len(f) < 3 {
		n.t.Fatalf("no hardware address of %s: %q", iface, f)
	}
	return f[2]
}
