package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"

	"connsync/lab"
	"connsync/netcheck/dump"
)

// listing is all interfaces of a namespace, by name.
func listing(t *testing.T, n *lab.Namespace) map[string]Interface {
	t.Helper()
	var list []Interface
	if err := lab.Call(t.Context(), n, "interfaces", struct{}{}, &list); err != nil {
		t.Fatal(err)
	}
	byName := map[string]Interface{}
	for i, iface := range list {
		if i > 0 && list[i-1].Index >= iface.Index {
			t.Errorf("%s does not stand in the order of indexes", iface.Name)
		}
		byName[iface.Name] = iface
	}
	return byName
}

func TestInterfaces(t *testing.T) {
	w := &wired{t, namespace(t), namespace(t)}
	w.wire("eth1", "eth1")
	w.run(w.a, `
		ip link property add dev eth1 altname enp3s0f1np1-the-long-one
		ip link set dev eth1 mtu 9000
		ip address add 10.0.0.101/24 dev eth1
		ip address add 10.0.0.1 peer 10.0.0.2/32 dev eth1
		ip address add fd00::101/64 dev eth1 nodad
		ip link add br0 type bridge
		ip link add mv0 link eth1 type macvlan mode bridge
		ip link add port0 type veth peer name port1
		ip link set dev port0 master br0
		ip link set dev port0 up
		ip link set dev port1 up
		ip route add default via 10.0.0.2 dev eth1`)
	// An alias is whatever somebody wrote.
	const alias = "to fw-b \x1b[31m; \u00fc"
	if out, err := w.a.Command("ip", "link", "set", "dev", "eth1", "alias", alias).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := listing(t, w.a)
	ignored := cmpopts.IgnoreFields(Interface{}, "Index", "HardwareAddr", "OperState")
	linkLocal := got["eth1"].Addresses[len(got["eth1"].Addresses)-1]
	want := map[string]Interface{
		"eth1": {Name: "eth1", Alias: alias, AltNames: []string{"enp3s0f1np1-the-long-one"}, Kind: "veth", Up: true, Carrier: true,
			SpeedMbps: 10000, MTU: 9000, DefaultRoute: true,
			Addresses: []netip.Prefix{prefix("10.0.0.101/24"), prefix("10.0.0.1/32"), prefix("fd00::101/64"), linkLocal}},
		"br0":   {Name: "br0", Kind: "bridge", MTU: 1500},
		"mv0":   {Name: "mv0", Kind: "macvlan", MTU: 9000, Parent: "eth1"},
		"port0": {Name: "port0", Kind: "veth", Up: true, Carrier: true, SpeedMbps: 10000, MTU: 1500, Master: "br0", MasterKind: "bridge"},
		"port1": {Name: "port1", Kind: "veth", Up: true, Carrier: true, SpeedMbps: 10000, MTU: 1500},
		"lo":    {Name: "lo", Kind: "loopback", Up: true, Carrier: true, MTU: 65536, Loopback: true, Addresses: []netip.Prefix{prefix("127.0.0.1/8"), prefix("::1/128")}},
	}
	compared := map[string]Interface{}
	for name := range want {
		i := got[name]
		if name != "eth1" && name != "lo" { // their link-local addresses come when they like
			i.Addresses = nil
		}
		i.Tentative = nil
		compared[name] = i
	}
	if diff := cmp.Diff(want, compared, ignored, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
	if !linkLocal.Addr().IsLinkLocalUnicast() {
		t.Errorf("eth1 has no link-local address: %v", got["eth1"].Addresses)
	}
	if got["lo"].OperState != "unknown" {
		t.Errorf("lo is %q", got["lo"].OperState)
	}
	if len(got["eth1"].HardwareAddr) != 6 {
		t.Errorf("eth1 has hardware address %v", got["eth1"].HardwareAddr)
	}
}

// TestInterfacesStates: down, up without carrier, and every way to the outside.
func TestInterfacesStates(t *testing.T) {
	w := &wired{t, namespace(t), namespace(t)}
	for _, name := range []string{"down", "cut", "multi1", "multi2", "six", "rule", "plain"} {
		w.wire(name, name)
	}
	w.run(w.a, `
		ip link set dev down down
		ip address add 10.1.0.1/24 dev multi1
		ip address add 10.2.0.1/24 dev multi2
		ip address add fd03::1/64 dev six nodad
		ip address add 10.4.0.1/24 dev rule
		ip route add default nexthop via 10.1.0.2 dev multi1 nexthop via 10.2.0.2 dev multi2
		ip -6 route add default via fd03::2
		ip route add 0.0.0.0/1 via 10.4.0.2 table 7
		ip route add 128.0.0.0/1 via 10.4.0.2 table 7
		ip rule add from all lookup 7 pref 7
		ip route add unreachable default metric 4000`)
	w.run(w.b, "ip link set dev cut down")
	got := listing(t, w.a)
	for _, tt := range []struct {
		name                 string
		up, carrier, outside bool
	}{
		{"down", false, false, false},
		{"cut", true, false, false},
		{"multi1", true, true, true},
		{"multi2", true, true, true},
		{"six", true, true, true},
		{"rule", true, true, true},
		{"plain", true, true, false},
	} {
		i := got[tt.name]
		if i.Up != tt.up || i.Carrier != tt.carrier || i.DefaultRoute != tt.outside {
			t.Errorf("%s: up %t carrier %t default route %t, want %+v", tt.name, i.Up, i.Carrier, i.DefaultRoute, tt)
		}
	}
}

// TestInterfacesDuplicateDetection: an address that is being looked for is
// tentative, and failed when the other node has it.
func TestInterfacesDuplicateDetection(t *testing.T) {
	w := &wired{t, namespace(t), namespace(t)}
	w.wire("eth1", "eth1")
	addr := netip.MustParseAddr("fd00::1")
	// The search lasts, so that it is seen however busy the host is: the kernel
	// asks once a second, and nobody answers until the other node has the address.
	w.run(w.a, `
		sysctl -qw net.ipv6.conf.eth1.dad_transmits=1000
		ip address add fd00::1/64 dev eth1`)
	await := func(what string, is func(Interface) bool) Interface {
		t.Helper()
		for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			i := listing(t, w.a)["eth1"]
			if is(i) {
				return i
			}
			if time.Now().After(limit) {
				t.Fatalf("never %s: %+v", what, i)
			}
		}
	}
	failed := func(i Interface) bool { return cmp.Equal(i.DADFailed, []netip.Addr{addr}, byAddr) }
	await("tentative", func(i Interface) bool { return contains(i.Tentative, addr) && !failed(i) })
	w.run(w.b, "ip address add fd00::1/64 dev eth1 nodad")
	if i := await("failed", failed); contains(i.Tentative, addr) || !i.Has(addr) {
		t.Errorf("failed, and tentative %t, and on the interface %t", contains(i.Tentative, addr), i.Has(addr))
	}
}

var byAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func contains(addrs []netip.Addr, addr netip.Addr) bool {
	for _, a := range addrs {
		if a == addr {
			return true
		}
	}
	return false
}

func TestNeighbours(t *testing.T) {
	w, _ := newWired(t, 4)
	w.run(w.a, `
		ip neighbour add 10.0.0.102 lladdr 02:00:00:00:00:02 dev eth1 nud permanent
		ip neighbour add fd00::102 lladdr 02:00:00:00:00:02 dev eth1 nud reachable
		ip neighbour add 10.0.0.103 dev eth1 nud failed
		ip neighbour add 224.0.0.18 lladdr 01:00:5e:00:00:12 dev eth1 nud permanent`)
	w.wire("eth2", "eth2")
	w.run(w.a, "ip neighbour add 10.0.0.104 lladdr 02:00:00:00:00:04 dev eth2 nud permanent")
	index := listing(t, w.a)["eth1"].Index
	var got []netip.Addr
	err := w.a.Do(func() (err error) {
		got, err = Neighbours(context.Background(), index)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var global []netip.Addr
	for _, a := range got {
		if !a.IsLinkLocalUnicast() { // those of the peer come by themselves
			global = append(global, a)
		}
	}
	want := []netip.Addr{netip.MustParseAddr("10.0.0.102"), netip.MustParseAddr("fd00::102")}
	if diff := cmp.Diff(want, global, byAddr); diff != "" {
		t.Error(diff)
	}
}

// TestDump: an interrupted dump is repeated, and used all the same in the end.
func TestDump(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name   string
		errs   []error // of the calls, in turn
		want   string
		wanted error
	}{
		{"at once", []error{nil}, "1 [1]", nil},
		{"interrupted once", []error{netlink.ErrDumpInterrupted, nil}, "2 [2]", nil},
		{"always interrupted", []error{netlink.ErrDumpInterrupted, fmt.Errorf("x: %w", netlink.ErrDumpInterrupted), netlink.ErrDumpInterrupted}, "3 [3]", nil},
		{"broken", []error{netlink.ErrDumpInterrupted, broken}, "2 []", broken},
	} {
		calls := 0
		got, err := dump.All(t.Context(), func() ([]int, error) { calls++; return []int{calls}, tt.errs[calls-1] })
		if s := fmt.Sprint(calls, got); s != tt.want || !errors.Is(err, tt.wanted) {
			t.Errorf("%s: %s, %v; want %s, %v", tt.name, s, err, tt.want, tt.wanted)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Interfaces(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}
