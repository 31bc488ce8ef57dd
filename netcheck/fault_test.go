package netcheck

import (
	"testing"

	"connsync/netcheck/check"
)

var addressFaults = []fault{
	{name: "no address set", set: func(_ *wired, s *target) { s.Current = "" }, want: []failure{
		{CheckCurrentAssigned, check.Blocker, "no Current IP is set", "Current IP: an address of eth1"},
		{CheckSameSubnet, check.Blocker, "no Current IP is set", "Current IP: an address of eth1"}}},
	{name: "address nowhere", do: "ip address flush dev eth1", cures: true, want: []failure{
		{CheckCurrentAssigned, check.Blocker, "10.0.0.101 is on no interface; eth1 has no such address", "ip address add 10.0.0.101/24 dev eth1"}}},
	{name: "another address there", do: "ip address flush dev eth1 scope global\nip address add 10.0.0.7/24 dev eth1", want: []failure{
		{CheckCurrentAssigned, check.Blocker, "10.0.0.101 is on no interface; eth1 has 10.0.0.7/24", "ip address add 10.0.0.101/24 dev eth1, or Current IP: 10.0.0.7/24"}}},
	{name: "address elsewhere", do: "ip address flush dev eth1", cures: true, set: func(l *wired, s *target) {
		l.wire("eth2", "eth2")
		l.address(l.a, s.Current, "eth2")
		l.run(l.b, "ip address flush dev eth1")
		l.address(l.b, s.Peer, "eth2")
	}, want: []failure{
		{CheckCurrentAssigned, check.Blocker, "10.0.0.101 is on eth2, not on eth1", "Interface Name: eth2"}}},
	{name: "address elsewhere, IPv6", family: 6, cures: true, set: func(l *wired, s *target) {
		l.wire("eth2", "eth2")
		l.run(l.a, "ip -6 address flush dev eth1 scope global")
		l.address(l.a, s.Current, "eth2")
		l.run(l.b, "ip -6 address flush dev eth1 scope global")
		l.address(l.b, s.Peer, "eth2")
	}, want: []failure{
		{CheckCurrentAssigned, check.Blocker, "fd00::101 is on eth2, not on eth1", "Interface Name: eth2"}}},
	{name: "other prefix length", set: func(_ *wired, s *target) { s.Current = "10.0.0.101/16" }, cures: false, want: []failure{
		{CheckCurrentAssigned, check.Blocker, "eth1 has 10.0.0.101/24, not 10.0.0.101/16", "Current IP: 10.0.0.101/24"},
		{CheckSameSubnet, check.Warning, "the peer has prefix length 24, this node 16; both should have the same", "Peer IP: with the prefix length 16, on the peer's interface too"}}},
	{name: "prefix length not recorded", set: func(_ *wired, s *target) { s.Current, s.Peer = "10.0.0.101", "10.0.0.102" }},
	{name: "other subnet", set: func(_ *wired, s *target) { s.Peer = "10.0.1.102/24" }, want: []failure{
		{CheckSameSubnet, check.Blocker, "10.0.1.102 is not in 10.0.0.0/24, the subnet of Current IP", "Peer IP: an address in 10.0.0.0/24"}}},
	{name: "other subnet, IPv6", family: 6, set: func(_ *wired, s *target) { s.Peer = "fd00:0:0:1::102/64" }, want: []failure{
		{CheckSameSubnet, check.Blocker, "fd00:0:0:1::102 is not in fd00::/64, the subnet of Current IP", "Peer IP: an address in fd00::/64"}}},
	{name: "network address", set: func(_ *wired, s *target) { s.Peer = "10.0.0.0/24" }, want: []failure{
		{CheckSameSubnet, check.Blocker, "10.0.0.0 is the network address of 10.0.0.0/24, not a node's address", "Peer IP: an address in 10.0.0.0/24"}}},
	{name: "no peer set", set: func(_ *wired, s *target) { s.Peer = "" }, want: []failure{
		{CheckPeerDistinct, check.Blocker, "no Peer IP is set", "Peer IP: the other node's address"}}},
	{name: "peer is self", set: func(_ *wired, s *target) { s.Peer = s.Current }, want: []failure{
		{CheckPeerDistinct, check.Blocker, "10.0.0.101 is this node's own address, on eth1", "Peer IP: the other node's address"}}},
	{name: "peer is self, IPv6", family: 6, set: func(_ *wired, s *target) { s.Peer = s.Current }, want: []failure{
		{CheckPeerDistinct, check.Blocker, "fd00::101 is this node's own address, on eth1", "Peer IP: the other node's address"}}},
	{name: "peer is another address of this node", do: "ip address add 10.0.0.102/32 dev lo", want: []failure{
		{CheckPeerDistinct, check.Blocker, "10.0.0.102 is this node's own address, on lo", "Peer IP: the other node's address"}}},
}

// twoNICs gives a an eth0 in the same subnet, with the older route.
func twoNICs(address string) func(*wired, *target) {
	return func(l *wired, s *target) {
		l.run(l.a, "ip address flush dev eth1 scope global")
		l.wire("eth0", "eth0")
		l.address(l.a, address, "eth0")
		l.address(l.a, s.Current, "eth1")
	}
}

var routeFaults = []fault{
	{name: "two NICs in one subnet", set: twoNICs("10.0.0.1/24"), cures: true, want: []failure{
		{CheckRoute, check.Blocker, "the kernel reaches 10.0.0.102 through eth0, not through eth1", "ip route replace 10.0.0.102/32 dev eth1 src 10.0.0.101"}}},
	{name: "two NICs in one subnet, IPv6", family: 6, set: twoNICs("fd00::1/64"), cures: true, want: []failure{
		{CheckRoute, check.Blocker, "the kernel reaches fd00::102 through eth0, not through eth1", "ip -6 route replace fd00::102/128 dev eth1 src fd00::101"}}},
	{name: "gateway", do: "ip route add 10.0.0.102/32 via 10.0.0.7 dev eth1", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "the kernel reaches 10.0.0.102 through the gateway 10.0.0.7, not on the link itself", "ip route replace 10.0.0.102/32 dev eth1 src 10.0.0.101"}}},
	{name: "gateway of the other family", do: "ip route add 10.0.0.102/32 via inet6 fe80::7 dev eth1", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "the kernel reaches 10.0.0.102 through the gateway fe80::7, not on the link itself", "ip route replace 10.0.0.102/32 dev eth1 src 10.0.0.101"}}},
	{name: "prohibit route", do: "ip route add prohibit 10.0.0.102/32", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to 10.0.0.102", "ip route del prohibit 10.0.0.102/32"}}},
	{name: "blackhole route", do: "ip route add blackhole 10.0.0.96/28", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a blackhole route or rule swallows packets to 10.0.0.102", "ip route del blackhole 10.0.0.96/28"}}},
	{name: "unreachable route", do: "ip route add unreachable 10.0.0.102/32", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "an unreachable route or rule refuses packets to 10.0.0.102", "ip route del unreachable 10.0.0.102/32"}}},
	{name: "prohibit route, IPv6", family: 6, do: "ip -6 route add prohibit fd00::102/128", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to fd00::102", "ip -6 route del prohibit fd00::102/128"}}},
	{name: "blackhole route, IPv6", family: 6, do: "ip -6 route add blackhole fd00::100/120", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a blackhole route or rule swallows packets to fd00::102", "ip -6 route del blackhole fd00::100/120"}}},
	{name: "no route", do: "ip address flush dev eth1\nip address add 10.0.0.101/24 dev eth1 noprefixroute", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "there is no route to 10.0.0.102", "ip route add 10.0.0.0/24 dev eth1 src 10.0.0.101"}}},
	{name: "no route, IPv6", family: 6, do: "ip -6 address flush dev eth1 scope global\nip address add fd00::101/64 dev eth1 noprefixroute nodad", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "there is no route to fd00::102", "ip -6 route add fd00::/64 dev eth1 src fd00::101"}}},
	{name: "local route", do: "ip route add local 10.0.0.102/32 dev lo", want: []failure{
		{CheckRoute, check.Blocker, "the kernel takes 10.0.0.102 for an address of this node", "Peer IP: the other node's address"}}},
	{name: "second address of the interface", do: "ip address flush dev eth1\nip address add 10.0.0.100/24 dev eth1\nip address add 10.0.0.101/24 dev eth1", cures: true, want: []failure{
		{CheckRoute, check.Warning, "the kernel sends to 10.0.0.102 from 10.0.0.100, not from Current IP 10.0.0.101", "ip route replace 10.0.0.102/32 dev eth1 src 10.0.0.101"}}},
}

var ruleFaults = []fault{
	{name: "prohibit rule for the port", do: "ip rule add ipproto udp dport 3780 prohibit pref 77", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to 10.0.0.102", "ip rule del pref 77"}}},
	{name: "blackhole rule for ports, IPv6", family: 6, do: "ip -6 rule add ipproto udp dport 3000-4000 blackhole pref 77", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a blackhole route or rule swallows packets to fd00::102", "ip -6 rule del pref 77"}}},
	{name: "prohibit rule for another port", do: "ip rule add ipproto udp dport 3781 prohibit pref 77\nip rule add ipproto tcp dport 3780 prohibit pref 78"},
	{name: "prohibit rule", do: "ip rule add to 10.0.0.96/28 prohibit pref 77", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to 10.0.0.102", "ip rule del pref 77"}}},
	{name: "prohibit rule for the source", do: "ip rule add from 10.0.0.101 prohibit pref 78", cures: true, want: []failure{
		{CheckRoute, check.Warning, "a prohibit route or rule forbids packets to 10.0.0.102 from 10.0.0.101", "ip rule del pref 78"}}},
	{name: "prohibit rule for the source, IPv6", family: 6, do: "ip -6 rule add from fd00::101 prohibit pref 78", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to fd00::102 from fd00::101", "ip -6 rule del pref 78"}}},
	{name: "prohibit rule for the interface, IPv6", family: 6, do: "ip -6 rule add to fd00::99 prohibit pref 70\nip -6 rule add oif eth1 prohibit pref 79", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to fd00::102 through eth1", "ip -6 rule del pref 79"}}},
	{name: "blackhole rule, IPv6", family: 6, do: "ip -6 rule add to fd00::/64 blackhole pref 80", cures: true, want: []failure{
		{CheckRoute, check.Blocker, "a blackhole route or rule swallows packets to fd00::102", "ip -6 rule del pref 80"}}},
	{name: "prohibit route beside prohibit rules for others", cures: true, do: "ip rule add pref 70 fwmark 1 prohibit\nip rule add pref 71 uidrange 5-6 prohibit\n" +
		"ip rule add pref 72 ipproto tcp dport 5000-5001 prohibit\nip rule add pref 73 tos 0x10 prohibit\nip rule add pref 74 not to 10.0.0.0/8 prohibit\n" +
		"ip route add prohibit 10.0.0.102/32", want: []failure{
		{CheckRoute, check.Blocker, "a prohibit route or rule forbids packets to 10.0.0.102", "ip route del prohibit 10.0.0.102/32"}}},
	{name: "a rule sends the peer's packets elsewhere", cures: true, set: func(l *wired, _ *target) {
		l.wire("eth2", "eth2")
		l.run(l.a, "ip route add default dev eth2 table 100\nip rule add to 10.0.0.102 lookup 100")
	}, want: []failure{
		{CheckRoute, check.Blocker, "the kernel reaches 10.0.0.102 through eth2, not through eth1", "ip route replace 10.0.0.102/32 dev eth1 src 10.0.0.101 table 100"}}},
	{name: "a rule sends datagrams to the port elsewhere", cures: true, set: func(l *wired, _ *target) {
		l.wire("eth2", "eth2")
		l.run(l.a, "ip route add default dev eth2 table 100\nip rule add ipproto udp dport 3780 lookup 100")
	}, want: []failure{
		{CheckRoute, check.Blocker, "the kernel reaches 10.0.0.102 through eth2, not through eth1", "ip route replace 10.0.0.102/32 dev eth1 src 10.0.0.101 table 100"}}},
	{name: "a rule sends packets from Current IP elsewhere", set: func(l *wired, _ *target) {
		l.wire("eth2", "eth2")
		l.run(l.a, "ip route add default dev eth2 table 100\nip rule add from 10.0.0.101 lookup 100")
	}, want: []failure{
		{CheckRoute, check.Warning, "a policy rule sends packets from 10.0.0.101 to 10.0.0.102 through eth2", "ip rule list"}}},
}

var conntrackFaults = []fault{
	{name: "events off", do: "sysctl -qw net.netfilter.nf_conntrack_events=0", cures: true, want: []failure{
		{CheckConntrack, check.Blocker, "connection tracking events are off (nf_conntrack_events is 0), so no connection is replicated", "sysctl -w net.netfilter.nf_conntrack_events=1"}}},
	{name: "events on demand, nothing tracked", do: "sysctl -qw net.netfilter.nf_conntrack_events=2"},
	{name: "events on demand, connections and no listener", cures: true,
		do: "sysctl -qw net.netfilter.nf_conntrack_events=2\n" + trackOne, want: []failure{
			{CheckConntrack, check.Warning, "nf_conntrack_events is 2 and no daemon listens: the peer will never receive updates for the 1 connection tracked now", "sysctl -w net.netfilter.nf_conntrack_events=1"}}},
}

const trackOne = "conntrack -I -s 192.0.2.1 -d 198.51.100.1 -p tcp --sport 1025 --dport 80 --timeout 60 --state ESTABLISHED"

// TestEventsOnDemandWithAListener: with a listener, value 2 is as good as 1.
func TestEventsOnDemandWithAListener(t *testing.T) {
	t.Parallel()
	l, settings := newWired(t, 4)
	l.run(l.a, "sysctl -qw net.netfilter.nf_conntrack_events=2\n"+trackOne)
	listener := l.a.Command("conntrack", "-E")
	out, err := listener.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { listener.Process.Kill(); listener.Wait() }()
	// It has subscribed when it tells of a connection that is new now.
	events := make(chan struct{})
	go func() { defer close(events); out.Read(make([]byte, 1)) }()
	for told := false; !told; {
		l.run(l.a, "conntrack -F\n"+trackOne)
		select {
		case <-events:
			told = true
		default:
		}
	}
	expect(t, l.check(settings), nil)
}
