package netcheck

import (
	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The rules stand in a table of this node; @ stands for the address family's
// word. Each verdict is compared with what the kernel does to real datagrams,
// before and after the remedy. It is beside no other test, since it takes all
// the processors that there are.
func TestFirewall(t *testing.T) {
	const drop = "type filter hook input priority 0; policy drop\n"
	cases := []firewallCase{
		{"no rules", "", check.Passed, "no firewall rules"},
		{"policy accept", "chain in { type filter hook input priority 0; policy accept\n}", check.Passed, "let UDP port 3780 in"},
		{"policy drop", "chain in {" + drop + "}", check.Failed, "chain in of table f has the policy drop"},
		{"only established", "chain in {" + drop + "ct state established,related accept\n tcp dport 22 accept\n}", check.Failed, "policy drop"},
		{"established by map", "chain in {" + drop + "ct state vmap { established : accept, related : accept, invalid : drop }\n}", check.Failed, "policy drop"},
		{"new", "chain in {" + drop + "ct state new accept\n}", check.Passed, ""},
		{"the exact rule", "chain in {" + drop + "iifname \"eth1\" @ saddr PEER udp dport 3780 accept\n}", check.Passed, ""},
		{"source port", "chain in {" + drop + "udp sport 3780 accept\n}", check.Unknown, "the effect of rule 1 in chain in of table f is unknown"},
		{"other port", "chain in {" + drop + "udp dport 3781 accept\n}", check.Failed, "policy drop"},
		{"other interface", "chain in {" + drop + "iifname \"eth0\" accept\n}", check.Failed, "policy drop"},
		{"interface by index", "chain in {" + drop + "iif \"eth1\" accept\n}", check.Passed, ""},
		{"interface by pattern", "chain in {" + drop + "iifname \"eth*\" accept\n}", check.Passed, ""},
		{"interface by set", "chain in {" + drop + "iifname { \"eth0\", \"eth1\" } accept\n}", check.Passed, ""},
		{"interface not in set", "chain in {" + drop + "iifname { \"eth0\", \"eth2\" } accept\n}", check.Failed, "policy drop"},
		{"subnet", "chain in {" + drop + "@ saddr NET accept\n}", check.Passed, ""},
		{"other subnet", "chain in {" + drop + "@ saddr OTHER accept\n}", check.Failed, "policy drop"},
		{"addresses by set", "chain in {" + drop + "@ saddr { PEER } accept\n}", check.Passed, ""},
		{"subnets by set", "chain in {" + drop + "@ saddr { OTHER, NET } accept\n}", check.Passed, ""},
		{"other subnets by set", "chain in {" + drop + "@ saddr { OTHER } accept\n}", check.Failed, "policy drop"},
		{"both addresses", "chain in {" + drop + "@ saddr PEER @ daddr OWN accept\n}", check.Passed, ""},
		{"port range", "chain in {" + drop + "udp dport 3000-4000 accept\n}", check.Passed, ""},
		{"other port range", "chain in {" + drop + "udp dport 3781-4000 accept\n}", check.Failed, "policy drop"},
		{"ports by set", "chain in {" + drop + "udp dport { 22, 3780 } accept\n}", check.Passed, ""},
		{"port ranges by set", "chain in {" + drop + "udp dport { 22, 3700-3800 } accept\n}", check.Passed, ""},
		{"other port ranges by set", "chain in {" + drop + "udp dport { 22, 3700-3779, 3781-3800 } accept\n}", check.Failed, "policy drop"},
		{"named set", "set s { type inet_service; elements = { 3780 } }\n chain in {" + drop + "udp dport @s accept\n}", check.Passed, ""},
		{"address and port by set", "chain in {" + drop + "@ saddr . udp dport { PEER . 3780 } accept\n}", check.Passed, ""},
		{"address and other port by set", "chain in {" + drop + "@ saddr . udp dport { PEER . 3781 } accept\n}", check.Failed, "policy drop"},
		{"not in set", "chain in {" + drop + "udp dport != { 22, 23 } accept\n}", check.Passed, ""},
		{"protocol", "chain in {" + drop + "meta l4proto udp accept\n}", check.Passed, ""},
		{"protocols by set", "chain in {" + drop + "meta l4proto { tcp, udp } th dport 3780 accept\n}", check.Passed, ""},
		{"tcp only", "chain in {" + drop + "tcp dport 3780 accept\n}", check.Failed, "policy drop"},
		{"jump accepts", "chain sub { udp dport 3780 accept\n}\nchain in {" + drop + "jump sub\n}", check.Passed, ""},
		{"jump returns", "chain sub { udp dport 3780 return\n accept\n}\nchain in {" + drop + "jump sub\n}", check.Failed, "policy drop"},
		{"goto ends", "chain sub { tcp dport 1 accept\n}\nchain in {" + drop + "goto sub\n accept\n}", check.Failed, "policy drop"},
		{"drop rule", "chain in { type filter hook input priority 0; policy accept\n counter udp dport 3780 drop\n}", check.Failed, "rule 1 in chain in of table f"},
		{"reject rule", "chain in { type filter hook input priority 0; policy accept\n udp dport 3780 counter reject\n}", check.Failed, "rule 1 in chain in of table f"},
		{"second chain drops", "chain in { type filter hook input priority 0; policy accept\n accept\n}\nchain late { type filter hook input priority 10; policy drop\n}", check.Failed, "chain late"},
		{"early drop", "chain raw { type filter hook prerouting priority -300; policy accept\n udp dport 3780 drop\n}", check.Failed, "chain raw"},
		{"output drop", "chain out { type filter hook output priority 0; policy drop\n}", check.Failed, "datagrams out"},
		{"output rule", "chain out { type filter hook output priority 0; policy drop\n oifname \"eth1\" @ daddr PEER udp dport 3780 accept\n}", check.Passed, ""},
		{"output by source port", "chain out { type filter hook output priority 0; policy drop\n udp sport 3780 accept\n}", check.Unknown, "could not check whether the firewall lets the sync datagrams out: "},
		{"limit", "chain in {" + drop + "udp dport 3780 limit rate 10/second accept\n}", check.Unknown, "rule 1"},
		{"limit on another port", "chain in {" + drop + "udp dport 1 limit rate 10/second accept\n}", check.Failed, "policy drop"},
		{"mark", "chain in {" + drop + "meta mark 7 accept\n}", check.Unknown, "rule 1"},
		{"verdict map", "chain sub { accept\n}\nchain in {" + drop + "iifname vmap { \"lo\" : accept, \"eth1\" : jump sub }\n}", check.Passed, ""},
		{"verdict map of others", "chain in {" + drop + "iifname vmap { \"lo\" : accept, \"eth0\" : accept }\n}", check.Failed, "policy drop"},
		{"forward only", "chain through { type filter hook forward priority 0; policy drop\n}", check.Passed, ""},
		{"untracked", "chain raw { type filter hook prerouting priority -300\n udp dport 3780 notrack\n}\nchain in {" + drop + "ct state new accept\n}", check.Failed, "policy drop"},
		{"late prerouting", "chain early { type filter hook prerouting priority 300\n accept\n}\nchain in {" + drop + "}", check.Failed, "chain in"},
		{"ingress", "chain early { type filter hook ingress device eth1 priority 0\n @ saddr PEER udp dport 3780 drop\n}", check.Failed, "rule 1 in chain early"},
		{"ingress of another", "chain early { type filter hook ingress device lo priority 0\n udp dport 3780 drop\n}", check.Passed, ""},
		{"named counter", "counter c { }\nchain in {" + drop + "counter name c udp dport 3780 accept\n}", check.Passed, ""},
	}

	cases = append(cases, firewallCases()...)
	for _, family := range []int{4, 6} {
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

// firewallCase is a set of rules with what the check says of it.
type firewallCase struct {
	name   string
	rules  string
	status check.Status
	detail string
}

// firewallCase loads the rules, asks, and sends datagrams. IPv6 finds its
// neighbours again each time; a chain that drops lets it, unless the case is
// about that.
func (n *testNet) firewallCase(t *testing.T, family int, c firewallCase) {
	target := n.families[family]
	other := map[int]string{4: "10.8.0.0/16", 6: "fd08::/16"}[family]
	words := strings.NewReplacer("@ ", target.NftFamily()+" ", "PEER", target.Peer.Addr().String(), "OWN", target.Current.Addr().String(),
		"THIRD", target.Peer.Addr().Next().String(), "NET", target.Peer.Masked().String(), "OTHER", other, "FAR", map[int]string{4: "198.51.100.9", 6: "2001:db8::9"}[family])
	rules, detail := c.rules, c.detail
	if family == 6 && strings.Contains(rules, "policy drop\n") && !strings.Contains(rules, "icmpv6") {
		rules = strings.ReplaceAll(rules, "policy drop\n", "policy drop\n icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n")
		detail = strings.ReplaceAll(detail, "rule 1", "rule 2")
	}
	if rules != "" && !strings.Contains(rules, "table ") {
		rules = "table inet f {\n" + rules + "\n}\n"
	}
	n.nft(n.own, "flush ruleset\n"+words.Replace(rules))
	n.judged(t, target, c.status, detail)
}

// judged compares what the check says with what becomes of datagrams, and sees
// that what it advises helps.
func (n *testNet) judged(t *testing.T, target Target, status check.Status, detail string) {
	t.Helper()
	f := n.ask(t, target.Flow.Check)
	if f.Status != status || !strings.Contains(f.Detail, detail) {
		t.Errorf("%v: %s, want %v: %s", f.Status, f.Detail, status, detail)
	}
	within := quick
	if f.Status == check.Passed {
		within = surely
	}
	got := n.passes(target, within)
	switch {
	case f.Status == check.Passed && got != "in and out", f.Status == check.Failed && got == "in and out":
		t.Errorf("%s, but datagrams pass %s", f.Detail, got)
	}
	if f.Status == check.Passed || strings.HasPrefix(f.Remedy, "firewall-cmd") || strings.HasPrefix(f.Remedy, "ufw") {
		return // a host of its own would be needed for theirs
	}
	n.heal(t, target, f.Remedy)
	if f := n.ask(t, target.Flow.Check); f.Status != check.Passed {
		t.Errorf("after the remedy: %v: %s; remedy: %s", f.Status, f.Detail, f.Remedy)
	}
	if got := n.passes(target, surely); got != "in and out" {
		t.Errorf("after the remedy datagrams pass %s; remedy: %s", got, f.Remedy)
	}
}

// heal carries out what a finding advises.
func (n *testNet) heal(t *testing.T, target Target, remedy string) {
	t.Helper()
	if remedy != target.InstallCommand() {
		n.run(n.own, "sh", "-c", remedy)
		return
	}
	err := n.own.Do(func() error {
		f, err := firewall.Read(t.Context(), target.Flow)
		if err != nil {
			return err
		}
		return firewall.RunNft(t.Context(), f.Script())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// How long a datagram may take that is to be dropped, and one that is to arrive.
const (
	quick  = 100 * time.Millisecond
	surely = 10 * time.Second
)

// passes says in which directions the kernel lets sync datagrams through.
func (n *testNet) passes(target Target, within time.Duration) string {
	n.t.Helper()
	n.forget(n.own)
	n.forget(n.peer)
	in := n.carries(n.peer, n.own, target.Peer.Addr(), target.Current.Addr(), within)
	n.forget(n.own)
	n.forget(n.peer)
	out := n.carries(n.own, n.peer, target.Current.Addr(), target.Peer.Addr(), within)
	switch {
	case in && out:
		return "in and out"
	case in:
		return "in"
	case out:
		return "out"
	}
	return "not at all"
}

// forget has a host look for its neighbours again.
func (n *testNet) forget(h *lab.Namespace) {
	n.t.Helper()
	err := h.Do(func() error {
		neighbours, err := netlink.NeighList(0, netlink.FAMILY_ALL)
		for _, one := range neighbours {
			if one.State&(netlink.NUD_NOARP|netlink.NUD_PERMANENT) != 0 {
				continue
			}
			if err := netlink.NeighDel(&one); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// carries sends a datagram to the sync port of a host, as conntrackd does, from a socket
// that is not connected, and says whether it arrived.
func (n *testNet) carries(from, to *lab.Namespace, source, destination netip.Addr, within time.Duration) bool {
	n.t.Helper()
	listener := n.opened(to, netip.AddrPortFrom(destination, n.port).String())
	defer listener.Close()
	err := from.Do(func() error {
		conn, err := net.ListenPacket(map[bool]string{true: "udp4", false: "udp6"}[destination.Is4()], ":0")
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.WriteTo([]byte("x"), listener.LocalAddr())
		return err
	})
	for _, refused := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.EHOSTUNREACH, unix.ENETUNREACH} {
		if errors.Is(err, refused) {
			return false
		}
	}
	if err != nil {
		n.t.Fatal(err)
	}
	listener.SetReadDeadline(time.Now().Add(within))
	_, _, err = listener.ReadFrom(make([]byte, 16))
	return err == nil
}

// On a node that forwards, what admits the peer to this node's port before routing
// does not admit it to that port of the hosts behind.
func TestAdmittedToThisNodeAlone(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		behind := namespace(t)
		if err := lab.Veth(n.own, "eth3", behind, "eth0"); err != nil {
			t.Fatal(err)
		}
		n.run(n.own, "ip", "link", "set", "eth3", "up")
		n.run(behind, "ip", "link", "set", "eth0", "up")
		nets := map[int][2]string{4: {"10.7.0.1/24", "10.7.0.2/24"}, 6: {"fd07::1/64", "fd07::2/64"}}[target.Family()]
		for h, address := range map[*lab.Namespace]string{n.own: nets[0], behind: nets[1]} {
			device := map[bool]string{true: "eth3", false: "eth0"}[h == n.own]
			n.run(h, "sh", "-c", "sysctl -qw net.ipv6.conf."+device+".dad_transmits=0; ip address add "+address+" dev "+device)
		}
		n.run(n.own, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
		ip := fmt.Sprintf("-%d", target.Family())
		n.run(behind, "ip", ip, "route", "add", "default", "via", prefix(nets[0]).Addr().String())
		n.run(n.peer, "ip", ip, "route", "add", prefix(nets[0]).Masked().String(), "via", target.Current.Addr().String())
		n.settle(n.own, behind)
		there := prefix(nets[1]).Addr()
		if !n.carries(n.peer, behind, target.Peer.Addr(), there, surely) {
			t.Fatal("the node does not forward")
		}
		nd := "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
		n.nft(n.own, "table inet f {\nchain pre { type filter hook prerouting priority -150; policy drop\n "+nd+"\n}\n}\n")
		if got := n.passes(target, quick); got == "in and out" {
			t.Fatal("the rules drop nothing")
		}
		n.heal(t, target, target.InstallCommand())
		if got := n.passes(target, surely); got != "in and out" {
			t.Errorf("datagrams pass %s", got)
		}
		if n.carries(n.peer, behind, target.Peer.Addr(), there, quick) {
			t.Errorf("the peer reaches UDP port %d of %v behind this node\n%s", n.port, there, n.run(n.own, "nft", "list", "ruleset"))
		}
	})
}
