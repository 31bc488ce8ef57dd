package netcheck

import (
	"strings"
	"testing"

	"connsync/netcheck/check"
)

// A policy of IPsec that blocks the datagrams is not taken for a firewall, and one that
// drops them on their way in is seen. Each verdict is compared with what the kernel does.
func TestIPsec(t *testing.T) {
	t.Parallel()
	out := func(match, does string) string { return "src OWN dst PEER " + match + " dir out " + does }
	in := func(match, does string) string { return "src PEER dst OWN " + match + " dir in " + does }
	unknown := func(direction string) []expected {
		return []expected{{CheckFirewall, check.Unknown, "IPsec lets the sync datagrams " + direction + " on eth1", "ip xfrm policy list"}}
	}
	refused := append(unknown("out"), expected{CheckPeerPort, check.Failed, "a policy of IPsec on this node, or its firewall, does not let datagrams", "ip xfrm policy list"})
	for _, tt := range []struct {
		name     string
		policies []string
		passes   string
		want     []expected
	}{
		{"out", []string{out("proto udp dport 3780", "action block")}, "in", refused},
		{"in", []string{in("proto udp dport 3780", "action block")}, "out", unknown("in")},
		{"another port", []string{out("proto udp dport 3781", "action block"), in("proto udp dport 3779", "action block")}, "in and out", nil},
		{"source port", []string{in("proto udp sport 3780", "action block")}, "in and out", unknown("in")},
		{"another host", []string{"src OWN dst THIRD dir out action block"}, "in and out", nil},
		{"admitted before", []string{in("proto udp", "action block priority 2"), in("proto udp dport 3780", "action allow priority 1")}, "in and out", nil},
		{"admitted after", []string{in("proto udp dport 3780", "action block priority 1"), in("proto udp", "action allow priority 2")}, "out", unknown("in")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				words := strings.NewReplacer("OWN", target.Current.Addr().String(), "PEER", target.Peer.Addr().String(), "THIRD", target.Peer.Addr().Next().String())
				for _, p := range tt.policies {
					n.run(n.own, "sh", "-c", "ip xfrm policy add "+words.Replace(p))
				}
				within := quick
				if tt.passes == "in and out" {
					within = surely
				}
				if got := n.passes(target, within); got != tt.passes {
					t.Errorf("datagrams pass %s, want %s", got, tt.passes)
				}
				n.listen(n.peer, at(target.Peer))
				mustFind(t, n.plan(t, target), tt.want...)
			})
		})
	}
}
