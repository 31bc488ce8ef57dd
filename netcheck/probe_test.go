package netcheck

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// one runs a single check on this node, without what it needs.
func (n *testNet) one(where lab.Commander, q question) check.Result {
	n.t.Helper()
	var r check.Result
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	if err := lab.Call(ctx, where, "one", q, &r); err != nil {
		n.t.Fatalf("%s: %v", q.ID, err)
	}
	return r
}

// wordsFor are the words of a family.
func wordsFor(t Target) (icmp, resolution string) {
	if t.Family() == 6 {
		return "icmpv6", "neighbour discovery"
	}
	return "icmp", "ARP"
}

func TestHealthyPair(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		n.listen(n.peer, at(target.Peer))
		// Both nodes ask for each other's addresses at the same time.
		other := Target{Flow: firewall.Flow{Interface: "eth1", Current: target.Peer, Peer: target.Current, Port: 3781}}
		reports := make(chan check.Report, 1)
		go func() { reports <- planIn(t, n.peer, other) }()
		report := n.plan(t, target)
		mustFind(t, report)
		mustFind(t, <-reports, expected{CheckPeerPort, check.Failed, "nothing listens", "Port 3781"})
		var took time.Duration
		for _, id := range []check.ID{CheckDuplicateAddress, CheckPeerPing, CheckPathMTU, CheckPeerPort} {
			r, _ := report.Result(id)
			took += r.Took
		}
		// Most of it is the wait for another owner of Current IP.
		t.Logf("measured: the probes of a healthy pair took %v", took)
	})
}

func TestLinkLocalPair(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	n.address(n.own, "eth1", "fe80::a/64")
	n.address(n.peer, "eth1", "fe80::b/64")
	n.settle(n.own, n.peer)
	target := Target{Flow: firewall.Flow{Interface: "eth1", Current: prefix("fe80::a/64"), Peer: prefix("fe80::b/64"), Port: 3780}}
	for _, id := range []check.ID{CheckDuplicateAddress, CheckPeerLink, CheckPeerPing, CheckPathMTU, CheckPortFree, CheckFirewall} {
		if r := n.one(n.own, question{Target: target, ID: id}); r.Status != check.Passed {
			t.Errorf("%s %v: %s", id, r.Status, r.Detail)
		}
	}
	if r := n.one(n.own, question{Target: target, ID: CheckPeerPort}); r.Status != check.Failed || !strings.Contains(r.Detail, "nothing listens") {
		t.Errorf("peer-port %v: %s", r.Status, r.Detail)
	}
}

// A second interface in the same network leads to the peer; the chosen one's
// wire does not.
func TestCutWireWithTwoInterfaces(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		n.plug(n.own, "second", "eth0", 0, "10.9.0.11/24", "fd09::11/64")
		n.settle(n.own)
		n.listen(n.peer, at(target.Peer))
		// This node answers for all its addresses on both interfaces, and is
		// nobody else. The peer knows the right one.
		n.run(n.peer, "ip", "neighbour", "replace", target.Current.Addr().String(), "lladdr", n.mac(n.own, "eth1"), "dev", "eth1", "nud", "permanent")
		mustFind(t, n.plan(t, target))

		n.silence()
		_, how := wordsFor(target)
		n.run(n.own, "ip", "neighbour", "flush", "dev", "eth1")
		mustFind(t, n.plan(t, target), expected{CheckPeerLink, check.Failed, "nobody answers " + how + " for " + target.Peer.Addr().String() + " on eth1", "on the peer: ip"})
		n.run(n.own, "ip", "neighbour", "replace", target.Peer.Addr().String(), "lladdr", n.mac(n.peer, "eth1"), "dev", "eth0", "nud", "reachable")
		mustFind(t, n.plan(t, target), expected{CheckPeerLink, check.Failed, "but it has been seen on eth0", "Interface Name: eth0"})
		// On its own the echo has to fail too: go-ping's did not.
		if r := n.one(n.own, question{Target: target, ID: CheckPeerPing}); r.Status != check.Failed || !strings.Contains(r.Detail, "it is not there") {
			t.Errorf("peer-ping %v: %s", r.Status, r.Detail)
		}
		// Nor does any follow a route to where the peer would answer.
		n.run(n.own, "ip", "route", "replace", netip.PrefixFrom(target.Peer.Addr(), target.Peer.Addr().BitLen()).String(), "dev", "eth0")
		for _, id := range []check.ID{CheckPeerPing, CheckPathMTU} {
			if r := n.one(n.own, question{Target: target, ID: id}); r.Status == check.Passed {
				t.Errorf("%s went another way: %s", id, r.Detail)
			} else if target.Family() == 6 && (r.Status != check.Unknown || !strings.Contains(r.Detail, "through eth0")) {
				t.Errorf("%s %v: %s", id, r.Status, r.Detail)
			}
		}
		if err := n.sync.Cut("own"); err != nil {
			t.Fatal(err)
		}
		report := n.plan(t, target)
		if r, _ := report.Result(CheckCarrier); r.Status != check.Failed {
			t.Errorf("carrier %v with the cable out\n%s", r.Status, format(report))
		}
	})
}

// The peer's answers come in by another interface than the one that was asked on: the
// peer takes this node's other interface in the same network for the owner of Current
// IP, or has a way of its own to it.
func TestRepliesByAnotherInterface(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		current, peer := target.Current.Addr().String(), target.Peer.Addr().String()
		astray := func(by string) {
			t.Helper()
			every := fmt.Sprintf("%s answers, and every reply comes in by %s, not by eth1", peer, by)
			// A new port of the switch takes its time.
			for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && n.one(n.own, question{Target: target, ID: CheckPeerPing}).Detail != every; {
			}
			for _, id := range []check.ID{CheckPeerPing, CheckPathMTU} {
				r := n.one(n.own, question{Target: target, ID: id})
				if r.Status != check.Failed || r.Mild || r.Detail != every || !strings.Contains(r.Remedy, "route get "+current) {
					t.Errorf("by %s: %s %v (mild %v): %s; %s", by, id, r.Status, r.Mild, r.Detail, r.Remedy)
				}
			}
			if r := n.one(n.own, question{Target: target, ID: CheckPeerPort}); r.Status != check.Failed || !strings.Contains(r.Detail, "; its answer came in by "+by+", not by eth1") {
				t.Errorf("peer-port %v: %s", r.Status, r.Detail)
			}
		}
		n.plug(n.own, "second", "eth0", 0, "10.9.0.11/24", "fd09::11/64")
		n.settle(n.own)
		n.run(n.peer, "ip", "neighbour", "replace", current, "lladdr", n.mac(n.own, "eth0"), "dev", "eth1", "nud", "permanent")
		astray("eth0")

		// Also where a rule drops what does not come in by the sync interface.
		n.nft(n.own, `table inet f {
			chain input {
				type filter hook input priority 0; policy accept;
				iifname "eth0" icmp type echo-reply drop
				iifname "eth0" icmpv6 type echo-reply drop
			}
		}`)
		if r := n.one(n.own, question{Target: target, ID: CheckPeerPing}); r.Status != check.Failed || !strings.Contains(r.Detail, "every reply comes in by eth0, not by eth1") {
			t.Errorf("peer-ping %v: %s", r.Status, r.Detail)
		}
		n.run(n.own, "nft", "flush", "ruleset")

		if err := lab.Veth(n.own, "eth2", n.peer, "eth2"); err != nil {
			t.Fatal(err)
		}
		for _, h := range []*lab.Namespace{n.own, n.peer} {
			n.run(h, "ip", "link", "set", "eth2", "up")
		}
		n.run(n.peer, "ip", "neighbour", "replace", current, "lladdr", n.mac(n.own, "eth2"), "dev", "eth2", "nud", "permanent")
		n.run(n.peer, "ip", "route", "replace", netip.PrefixFrom(target.Current.Addr(), target.Current.Addr().BitLen()).String(), "dev", "eth2")
		astray("eth2")

		// What is advised is followed.
		n.run(n.peer, "ip", "route", "delete", netip.PrefixFrom(target.Current.Addr(), target.Current.Addr().BitLen()).String(), "dev", "eth2")
		n.run(n.peer, "ip", "neighbour", "delete", current, "dev", "eth1")
		n.run(n.own, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
		for _, id := range []check.ID{CheckPeerPing, CheckPathMTU} {
			if r := n.one(n.own, question{Target: target, ID: id}); r.Status != check.Passed {
				t.Errorf("%s %v: %s", id, r.Status, r.Detail)
			}
		}
	})
}

func TestDuplicateAddress(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		n.listen(n.peer, at(target.Peer))
		third := n.host("third", "eth1", 0)
		n.address(third, "eth1", target.Current.String())
		n.settle(third)
		mac := n.mac(third, "eth1")
		mustFind(t, n.plan(t, target), expected{CheckDuplicateAddress, check.Failed, mac, "Current IP: "})
		n.run(third, "ip", "address", "flush", "dev", "eth1", "scope", "global")
		mustFind(t, n.plan(t, target))

		n.address(third, "eth1", target.Peer.String())
		n.settle(third)
		mustFind(t, n.plan(t, target), expected{CheckPeerLink, check.Failed, "2 hardware addresses answer", "ip "})
	})
}

// The kernel itself has found the other owner, and does not use the address.
func TestFailedDuplicateAddressDetection(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	third := n.host("third", "eth1", 0, "fd09::77/64")
	n.settle(n.own, third)
	n.run(n.own, "sysctl", "-qw", "net.ipv6.conf.eth1.dad_transmits=1")
	n.address(n.own, "eth1", "fd09::77/64")
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(n.run(n.own, "ip", "-6", "address", "show", "dev", "eth1"), "dadfailed") {
		if time.Now().After(deadline) {
			t.Fatal("duplicate address detection has not failed")
		}
		time.Sleep(20 * time.Millisecond)
	}
	target := n.families[6]
	target.Current = prefix("fd09::77/64")
	for _, tt := range []struct {
		do     func()
		detail string
	}{
		{func() {}, n.mac(third, "eth1")},
		{func() { n.run(third, "ip", "link", "set", "eth1", "down") }, "the kernel found fd09::77 in use by another host"},
	} {
		tt.do()
		r := n.one(n.own, question{Target: target, ID: CheckDuplicateAddress})
		if r.Status != check.Failed || !strings.Contains(r.Detail, tt.detail) ||
			!strings.Contains(r.Remedy, "ip -6 address del fd09::77/64 dev eth1 && ip -6 address add fd09::77/64 dev eth1") {
			t.Errorf("%v: %s; remedy: %s", r.Status, r.Detail, r.Remedy)
		}
	}
}

func TestPeerDown(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		if err := n.sync.Cut("peer"); err != nil {
			t.Fatal(err)
		}
		_, how := wordsFor(target)
		report := n.plan(t, target)
		mustFind(t, report, expected{CheckPeerLink, check.Failed, "nobody answers " + how, "ip link set dev INTERFACE up"})
		if r, ok := report.Result(CheckPeerLink); ok {
			t.Logf("measured: nobody answers after %v", r.Took)
		}
		if v := report.Verdict(); v != check.VerdictBlocked {
			t.Errorf("verdict %v", v)
		}
		target.FirstNode = true
		if report := n.plan(t, target); report.Verdict() != check.VerdictWarn {
			t.Errorf("verdict %v for the first node:\n%s", report.Verdict(), format(report))
		}
		r := n.one(n.own, question{Target: target, ID: CheckPeerPing})
		if r.Status != check.Failed || !strings.Contains(r.Detail, "answers neither echo requests nor "+how) {
			t.Errorf("peer-ping %v after %v: %s", r.Status, r.Took, r.Detail)
		}
		for _, id := range []check.ID{CheckPathMTU, CheckPeerPort} {
			if r := n.one(n.own, question{Target: target, ID: id}); r.Status != check.Unknown && !strings.Contains(r.Detail, "it is not there") {
				t.Errorf("%s %v: %s", id, r.Status, r.Detail)
			}
		}
	})
}

// inputRules are rules on the peer, or on this node, for what arrives.
func inputRules(rules string) string {
	return "table inet filter { chain input { type filter hook input priority 0; policy accept\n" + rules + "\n}\n}\n"
}

func TestFilteredPing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ verdict, detail string }{
		{"drop", "but drops echo requests"},
		{"reject with icmpx admin-prohibited", "rejects echo requests (administratively prohibited)"},
		{"reject with icmpx port-unreachable", "rejects echo requests"},
	} {
		t.Run(strings.ReplaceAll(tt.verdict, " ", "-"), func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				n.listen(n.peer, at(target.Peer))
				icmp, _ := wordsFor(target)
				n.nft(n.peer, inputRules(icmp+" type echo-request "+tt.verdict))
				report := n.plan(t, target)
				mustFind(t, report, expected{CheckPeerPing, check.Failed, tt.detail, "on the peer: nft insert rule inet filter input"})
				r, _ := report.Result(CheckPeerPing)
				t.Logf("measured: understood after %v", r.Took)
				// What is advised has to help.
				n.run(n.peer, "sh", "-c", strings.TrimPrefix(r.Remedy, "on the peer: "))
				mustFind(t, n.plan(t, target))
			})
		})
	}
}

func TestRejectedPort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verdict string
		want    []expected
	}{
		{"reject with icmpx admin-prohibited", []expected{{CheckPeerPort, check.Failed, "rejects UDP port 3780 (administratively prohibited)", "connsync firewall --install --interface INTERFACE --current-ip "}}},
		{"reject with icmpx port-unreachable", []expected{{CheckPeerPort, check.Failed, "or a firewall there rejects it", "connsync firewall --install --interface INTERFACE --current-ip "}}},
		{"drop", nil}, // silence is all that a daemon answers too
	} {
		t.Run(strings.ReplaceAll(tt.verdict, " ", "-"), func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				n.listen(n.peer, at(target.Peer))
				n.nft(n.peer, inputRules("udp dport 3780 "+tt.verdict))
				report := n.plan(t, target)
				mustFind(t, report, tt.want...)
				if r, _ := report.Result(CheckPeerPort); r.Status == check.Passed && !strings.Contains(r.Detail, "whether conntrackd listens there shows after the start") {
					t.Errorf("silence is taken for %q", r.Detail)
				}
			})
		})
	}
}

// The peer's port is closed before the peer has been set up: no blocker.
func TestClosedPort(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		report := n.plan(t, target)
		mustFind(t, report, expected{CheckPeerPort, check.Failed, "nothing listens on UDP port 3780", "Port 3780"})
		first := target
		first.FirstNode = true
		if r := n.one(n.own, question{Target: first, ID: CheckPeerPort}); r.Status != check.Passed || !strings.Contains(r.Detail, "the peer is not set up yet") {
			t.Errorf("on a first node: %v %s", r.Status, r.Detail)
		}
		if v := report.Verdict(); v != check.VerdictWarn {
			t.Errorf("verdict %v", v)
		}
	})
}

func TestPathMTU(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cut  func(n *testNet) error
		low  int // of what may be found
		high int
	}{
		{"1500-byte switch", func(n *testNet) error { return n.sync.Drop("own", "meta length > 1500") }, 1500, 1500},
		{"the way back", func(n *testNet) error { return n.sync.Drop("peer", "meta length > 1492") }, 1492, 1492},
		{"odd size", func(n *testNet) error { return n.sync.Drop("own", "meta length > 3333") }, 3333, 3333},
		{"almost", func(n *testNet) error { return n.sync.Drop("own", "meta length > 8999") }, 8999, 8999},
		// The kernel's bridge lets 4 bytes more through, for a VLAN tag.
		{"1500-byte port", func(n *testNet) error {
			return n.sync.Do(func() error { return exec.Command("ip", "link", "set", "peer", "mtu", "1500").Run() })
		}, 1500, 1504},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 9000, func(t *testing.T, n *testNet, target Target) {
				n.listen(n.peer, at(target.Peer))
				if r := n.one(n.own, question{Target: target, ID: CheckPathMTU}); r.Status != check.Passed {
					t.Errorf("whole path: %v: %s", r.Status, r.Detail)
				}
				if err := tt.cut(n); err != nil {
					t.Fatal(err)
				}
				report := n.plan(t, target)
				mustFind(t, report, expected{CheckPathMTU, check.Failed, "packets of 9000 bytes, the MTU of eth1, vanish", "ip link set dev eth1 mtu"})
				r, _ := report.Result(CheckPathMTU)
				var found int
				if _, err := fmt.Sscanf(r.Remedy, "ip link set dev eth1 mtu %d,", &found); err != nil || found < tt.low || found > tt.high {
					t.Errorf("found %d, want %d to %d: %s", found, tt.low, tt.high, r.Remedy)
				}
				t.Logf("measured: found after %v", r.Took)
				n.run(n.own, "ip", "link", "set", "dev", "eth1", "mtu", fmt.Sprint(found))
				n.run(n.peer, "ip", "link", "set", "dev", "eth1", "mtu", fmt.Sprint(found))
				if r := n.one(n.own, question{Target: target, ID: CheckPathMTU}); r.Status != check.Passed {
					t.Errorf("after the remedy: %v: %s", r.Status, r.Detail)
				}
			})
		})
	}
}
