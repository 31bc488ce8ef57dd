package netcheck

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"connsync/netcheck/check"
	"connsync/netcheck/ipsec"
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
		policies []string // or what sets the default
		passes   string
		want     []expected
	}{
		{"out", []string{out("proto udp dport 3780", "action block")}, "in", refused},
		{"in", []string{in("proto udp dport 3780", "action block")}, "out", unknown("in")},
		{"another port", []string{out("proto udp dport 3781", "action block"), in("proto udp dport 3779", "action block")}, "in and out", nil},
		{"source port", []string{in("proto udp sport 3780", "action block")}, "in and out", unknown("in")},
		{"another host", []string{"src OWN dst THIRD dir out action block"}, "in and out", nil},
		{"admitted before", []string{in("proto udp", "action block priority 2"), in("proto udp dport 3780", "action allow priority 1")}, "in and out", nil},
		{"protected on the way out", []string{out("proto udp dport 3780", "tmpl src OWN dst PEER proto esp mode transport")}, "in", unknown("out")},
		{"protected on the way in", []string{in("proto udp dport 3780", "tmpl src PEER dst OWN proto ah mode transport")}, "out", unknown("in")},
		{"another port is protected", []string{out("proto udp dport 3781", "tmpl src OWN dst PEER proto esp mode transport")}, "in and out", nil},
		{"admitted before it is protected", []string{in("proto udp", "priority 2 tmpl src PEER dst OWN proto esp mode transport"), in("proto udp dport 3780", "priority 1")}, "in and out", nil},
		{"no policy out", []string{"setdefault out block", out("proto 1", ""), "src ::/0 dst ::/0 proto 58 dir out"}, "in", refused},
		{"no policy in", []string{"setdefault in block", in("proto 1", ""), "src ::/0 dst ::/0 proto 58 dir in"}, "out", unknown("in")},
		{"admitted without a standard", []string{"setdefault in block out block", in("", ""), "src ::/0 dst ::/0 proto 58 dir in", out("", ""), "src ::/0 dst ::/0 proto 58 dir out"}, "in and out", nil},
		{"the standard of what is forwarded", []string{"setdefault fwd block"}, "in and out", nil},
		{"admitted after", []string{in("proto udp dport 3780", "action block priority 1"), in("proto udp", "action allow priority 2")}, "out", unknown("in")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
				words := strings.NewReplacer("OWN", target.Current.Addr().String(), "PEER", target.Peer.Addr().String(), "THIRD", target.Peer.Addr().Next().String())
				for _, p := range tt.policies {
					if !strings.HasPrefix(p, "setdefault ") {
						p = "add " + p
					}
					n.run(n.own, "sh", "-c", "ip xfrm policy "+words.Replace(p))
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

// Where nothing is let through without a policy, none may be about the search for the
// neighbour, which goes to a group.
func TestIPsecOfNeighbours(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	n.settle(n.own, n.peer)
	target := n.families[6]
	n.run(n.own, "sh", "-ec", strings.NewReplacer("OWN", target.Current.Addr().String(), "PEER", target.Peer.Addr().String()).Replace(
		"ip xfrm policy setdefault in block out block; ip xfrm policy add src OWN dst PEER dir out; ip xfrm policy add src PEER dst OWN dir in"))
	if got := n.passes(target, quick); got != "not at all" {
		t.Errorf("datagrams pass %s", got)
	}
	asks := ipsec.Beside(target.Flow, target.Flow.Check)
	if f := n.ask(t, asks); f.Status != check.Unknown || !strings.Contains(f.Detail, "the search for the neighbour (ICMPv6 135 and 136) in on eth1") {
		t.Errorf("%v: %s", f.Status, f.Detail)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	third := target.Flow // to which no policy lets anything
	third.Peer = netip.PrefixFrom(target.Peer.Addr().Next(), target.Peer.Bits())
	refused := func(ctx context.Context) string {
		f := n.ask(t, func(context.Context) (f check.Finding) {
			f.Detail, f.Remedy = ipsec.Refused(ctx, third, "datagrams", true)
			return f
		})
		return f.Detail
	}
	if long, short := refused(t.Context()), refused(ended); !strings.Contains(long, "IPsec") || strings.Contains(short, "IPsec") {
		t.Errorf("%q; when nobody waits any more: %q", long, short)
	}
	n.run(n.own, "sh", "-ec", "for d in in out; do ip xfrm policy add src ::/0 dst ::/0 proto 58 dir $d; done")
	if got := n.passes(target, surely); got != "in and out" {
		t.Errorf("with the policies datagrams pass %s", got)
	}
	if f := n.ask(t, asks); f.Status != check.Passed {
		t.Errorf("with the policies: %v: %s", f.Status, f.Detail)
	}
}
