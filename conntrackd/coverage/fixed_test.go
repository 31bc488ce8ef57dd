package coverage

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
)

// What NAT ties to an address that stays with this node would not survive, unless a host that has
// this node alone is behind it.
func TestTiedToAFixedAddress(t *testing.T) {
	a := netip.MustParseAddr
	const client, server, contained = "10.1.0.9", "198.18.0.9", "172.17.0.2"
	stays, moves := "10.2.0.2", "10.2.0.1"
	known := Fixed{[]netip.Addr{a(stays)}, []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16")}}
	survives, lost := Counts{Survive: 1}, Counts{Missing: 1}
	for name, tt := range map[string]struct {
		source, wanted, server, replies string
		fixed                           Fixed
		role                            Role
		want                            Counts
	}{
		"masquerade":                     {client, server, server, stays, known, RolePrimary, lost},
		"nobody knows the role":          {client, server, server, stays, known, RoleUnknown, lost},
		"to a virtual address":           {client, server, server, moves, known, RolePrimary, survives},
		"no NAT":                         {client, server, server, client, known, RolePrimary, survives},
		"nobody knows what stays":        {client, server, server, stays, Fixed{}, RolePrimary, survives},
		"from a container":               {contained, server, server, stays, known, RolePrimary, survives},
		"to a container's network":       {client, contained, contained, stays, known, RolePrimary, lost},
		"destination NAT":                {server, stays, client, server, known, RolePrimary, lost},
		"destination NAT, moves":         {server, moves, client, server, known, RolePrimary, survives},
		"destination NAT to a container": {server, stays, contained, server, known, RolePrimary, survives},
	} {
		e := Entry{Protocol: unix.IPPROTO_UDP, Written: true, Original: Tuple{Source: a(tt.source), Destination: a(tt.wanted), SourcePort: 1, DestinationPort: 2},
			Reply: Tuple{Source: a(tt.server), Destination: a(tt.replies), SourcePort: 2, DestinationPort: 1}}
		p := &pass{tells: func() bool { return true }, role: tt.role, injected: 9, main: newGroup(), beyond: newGroup(),
			cache: keySet{e.key(seed)}, own: ownAddresses{hosts: map[netip.Addr]bool{a(stays): true, a(moves): true}, fixed: tt.fixed}}
		p.take(&e)
		c := p.finish()
		if c.Counts != tt.want || c.Tied != tt.want.Missing || c.Stale > 0 || c.Settled != tt.want.Survive || c.Tied > 0 && c.TiedTo != a(stays) {
			t.Errorf("%s: %+v, %d tied to %v, %d stale, %d settled", name, c.Counts, c.Tied, c.TiedTo, c.Stale, c.Settled)
		}
	}
}

func TestWhyTied(t *testing.T) {
	l := &Looker{Client: control.NewClient("/nowhere"), File: &conntrackd.File{}}
	c := Coverage{Counts: Counts{Missing: 7}, Tied: 7, TiedTo: netip.MustParseAddr("10.2.0.2")}
	const cause, next = "NAT ties 7 connections to 10.2.0.2, which keepalived does not move to the peer",
		"have NAT use a virtual address (snat to it in place of masquerade), or add 10.2.0.2 to virtual_ipaddress in keepalived.conf"
	if why, step := l.explain(t.Context(), c, control.Tables{}); why != cause || step != next {
		t.Errorf("%q, %q; want %q, %q", why, step, cause, next)
	}
}
