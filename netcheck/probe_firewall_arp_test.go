package netcheck

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
)

// Rules that keep the nodes from finding one another, by ARP or by ICMPv6. Each verdict is
// compared with what becomes of datagrams once no node knows the other any more.
func TestFirewallOfNeighbours(t *testing.T) {
	t.Parallel()
	table := func(family, hook, rules string) string {
		return fmt.Sprintf("table %s f {\nchain c { type filter hook %s\n %s\n}\n}\n", family, hook, rules)
	}
	const device = " device eth1 priority 0; policy "
	const drop, open = "priority 0; policy drop", "priority 0; policy accept"
	const nd = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
	ofFamily := map[int][]firewallCase{
		4: {
			{"arp in", table("arp", "input "+drop, ""), check.Failed, "chain c of table f has the policy drop"},
			{"arp out", table("arp", "output "+drop, ""), check.Failed, "drops the search for the neighbour (ARP) out"},
			{"questions in", table("arp", "input "+open, "arp operation request drop"), check.Failed, "rule 1 in chain c"},
			{"answers in", table("arp", "input "+open, "arp operation reply drop"), check.Failed, "rule 1 in chain c"},
			{"answers out", table("arp", "output "+open, "arp operation reply drop"), check.Failed, "rule 1 in chain c"},
			{"of the peer", table("arp", "input "+open, "iifname eth1 arp saddr ip PEER drop"), check.Failed, "rule 1 in chain c"},
			{"of another", table("arp", "input "+open, "arp saddr ip THIRD drop"), check.Passed, ""},
			{"on another interface", table("arp", "input "+open, "iifname eth0 drop"), check.Passed, ""},
			{"the peer is admitted", table("arp", "input "+drop, "arp htype 1 arp plen 4 arp saddr ip PEER accept"), check.Passed, ""},
			{"all but the peer", table("arp", "input "+drop, "arp saddr ip THIRD accept"), check.Failed, "policy drop"},
			{"at a rate", table("arp", "input "+drop, "limit rate 1/minute accept"), check.Unknown, "rule 1 in chain c"},
			{"in a bridge's hook", table("arp", "input "+open, "meta l4proto udp drop"), check.Passed, ""},
			{"device in", table("netdev", "ingress"+device+"accept", "ether type arp drop"), check.Failed, "rule 1 in chain c"},
			{"device in, by protocol", table("netdev", "ingress"+device+"accept", "meta protocol arp drop"), check.Failed, "rule 1 in chain c"},
			{"device in, datagrams alone", table("netdev", "ingress"+device+"drop", "udp dport 3780 accept"), check.Failed, "policy drop"},
			{"device in, both", table("netdev", "ingress"+device+"drop", "ether type { ip, arp } accept"), check.Passed, ""},
			{"device out, datagrams alone", table("netdev", "egress"+device+"drop", "udp dport 3780 accept"), check.Failed, "(ARP) out"},
			{"device out, both", table("netdev", "egress"+device+"drop", "udp dport 3780 accept\n arp operation { request, reply } accept"), check.Passed, ""},
			{"inet at the device", table("inet", "ingress"+device+"drop", "udp dport 3780 accept"), check.Passed, ""},
		},
		6: {
			{"arp in", table("arp", "input "+open, "drop"), check.Passed, ""},
			{"device in", table("netdev", "ingress"+device+"accept", "icmpv6 type nd-neighbor-advert drop"), check.Failed, "rule 1 in chain c"},
			{"device in, datagrams alone", table("netdev", "ingress"+device+"accept", "udp dport 3780 accept\n icmpv6 type != echo-reply drop"), check.Failed, "rule 2 in chain c"},
			{"device in, both", table("netdev", "ingress"+device+"drop", "udp dport 3780 accept\n "+nd), check.Passed, ""},
			{"device out, questions", table("netdev", "egress"+device+"accept", "icmpv6 type nd-neighbor-solicit drop"), check.Failed, "(ICMPv6 135 and 136) out"},
			{"inet at the device", table("inet", "ingress"+device+"accept", "udp dport 3780 accept\n icmpv6 type != echo-reply drop"), check.Failed, "rule 2 in chain c"},
			{"inet at the device, by state", table("inet", "ingress"+device+"accept", "icmpv6 type nd-neighbor-solicit ct state invalid drop"), check.Failed, "rule 1 in chain c"},
			{"inet at the device, by another state", table("inet", "ingress"+device+"accept", "icmpv6 type nd-neighbor-solicit ct state untracked drop"), check.Passed, ""},
			{"from another source", table("inet", "output priority -300; policy accept", "ip6 saddr set THIRD"), check.Unknown, "rule 1 in chain c"},
			{"by the type of a device in", table("inet", "output "+open, "iiftype ether icmpv6 type nd-neighbor-solicit drop"), check.Unknown, "rule 1 in chain c"},
			{"after routing, by a device in", table("inet", "postrouting "+open, "iifname eth1 icmpv6 type nd-neighbor-solicit drop"), check.Unknown, "rule 1 in chain c"},
			{"ip6", table("ip6", "input "+open, "icmpv6 type nd-neighbor-solicit drop"), check.Failed, "rule 1 in chain c"},
		},
	}
	for family, cases := range ofFamily {
		t.Run(fmt.Sprintf("ipv%d", family), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 0)
			n.settle(n.own, n.peer)
			for _, tt := range cases {
				t.Run(tt.name, func(t *testing.T) { n.firewallCase(t, family, tt) })
			}
		})
	}
}

// The same of the rules of arptables, and of those below the sync interface.
func TestFirewallOfARP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, setUp string
		status      check.Status
		detail      string
	}{
		{"arptables in", "arptables -P INPUT DROP", check.Failed, "chain INPUT of table filter has the policy drop"},
		{"arptables out", "arptables -A OUTPUT -d PEER -j DROP", check.Failed, "rule 1 in chain OUTPUT"},
		{"arptables, another host", "arptables -A OUTPUT -d 10.9.0.7 -j DROP", check.Passed, ""},
		{"bridge in", "nft 'table bridge f { chain c { type filter hook input priority 0; arp operation reply drop; }; }'", check.Failed, "rule 1 in chain c"},
		{"bridge, by protocol", "nft 'table bridge f { chain c { type filter hook input priority 0; meta protocol arp drop; }; }'", check.Failed, "rule 1 in chain c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 0)
			target := n.families[4]
			if tt.status != check.Passed {
				n.run(n.own, "sh", "-ec", "ip address flush dev eth1; ip link add sync0 type bridge; ip link set eth1 master sync0; ip link set sync0 up")
				n.address(n.own, "sync0", own4)
				target.Interface = "sync0"
			}
			n.run(n.own, "sh", "-ec", strings.ReplaceAll(tt.setUp, "PEER", target.Peer.Addr().String()))
			n.judged(t, target, tt.status, tt.detail)
		})
	}
}

// A node whose peer's hardware address was given to it does not ask, and the peer may not,
// either; of a group nobody asks.
func TestFirewallOfGivenNeighbours(t *testing.T) {
	t.Parallel()
	const arp = "table arp f {\nchain c { type filter hook %sput priority 0\n drop\n}\n}\n"
	const nd = "table ip6 f {\nchain c { type filter hook %sput priority 0\n icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop\n}\n}\n"
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		rules := map[int]string{4: arp, 6: nd}[target.Family()]
		n.run(n.own, "ip", "neighbour", "replace", target.Peer.Addr().String(), "lladdr", n.mac(n.peer, "eth1"), "dev", "eth1", "nud", "permanent")
		n.nft(n.own, fmt.Sprintf(rules, "in"))
		if f := n.ask(t, target.Flow.Check); f.Status != check.Unknown || !strings.Contains(f.Detail, "rule 1 in chain c") {
			t.Errorf("%v: %s", f.Status, f.Detail)
		}
		if got := n.passes(target, quick); got != "out" {
			t.Errorf("where the peer asks, datagrams pass %s", got)
		}
		n.run(n.peer, "ip", "neighbour", "replace", target.Current.Addr().String(), "lladdr", n.mac(n.own, "eth1"), "dev", "eth1", "nud", "permanent")
		if got := n.passes(target, surely); got != "in and out" {
			t.Errorf("where no node asks, datagrams pass %s", got)
		}
		target.Group = map[int]netip.Addr{4: netip.MustParseAddr("225.0.0.50"), 6: netip.MustParseAddr("ff02::50")}[target.Family()]
		if f := n.ask(t, target.Flow.Check); f.Status != check.Passed {
			t.Errorf("of a group: %v: %s", f.Status, f.Detail)
		}
	})
}

// What the kernel's older tables of ARP do is not known, and so what they are for is not.
func TestFirewallOfLegacyARP(t *testing.T) {
	n := newTestNet(t, 0)
	err := n.own.Do(func() error {
		const getInfo = 96 // ARPT_SO_GET_INFO, which makes the table (linux/netfilter_arp/arp_tables.h)
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		info := [68]byte{'f', 'i', 'l', 't', 'e', 'r'}
		size := uint32(len(info))
		if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s), unix.SOL_IP, getInfo, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("arptables-legacy"); err == nil {
		n.run(n.own, "arptables-legacy", "-P", "INPUT", "DROP")
	}
	f := n.ask(t, n.families[4].Flow.Check)
	if f.Status != check.Unknown || !strings.Contains(f.Detail, "of arptables-legacy could not be read") || f.Remedy != "arptables-legacy -t filter -L" {
		t.Errorf("%v: %s; %s", f.Status, f.Detail, f.Remedy)
	}
	if f := n.ask(t, n.families[6].Flow.Check); f.Status != check.Passed {
		t.Errorf("of IPv6: %v: %s", f.Status, f.Detail)
	}
}
