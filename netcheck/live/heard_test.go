package live

import (
	"net/netip"
	"testing"

	"connsync/netcheck"
)

func TestIsSync(t *testing.T) {
	var target netcheck.Target
	target.Interface, target.Port = "eth1", 3780
	target.Current, target.Peer = netip.MustParsePrefix("10.0.0.103/24"), netip.MustParsePrefix("10.0.0.102/24")
	group := target
	group.Group = netip.MustParseAddr("225.0.0.50")
	sent := netcheck.Datagram{From: netip.MustParseAddr("10.0.0.102"), To: netip.MustParseAddr("10.0.0.103"), Port: 3780, Device: "eth1", Payload: []byte{1}}
	for name, tt := range map[string]struct {
		target netcheck.Target
		change func(*netcheck.Datagram)
		want   bool
	}{
		"to this node":                {target, func(*netcheck.Datagram) {}, true},
		"to the address of before":    {target, func(d *netcheck.Datagram) { d.To = netip.MustParseAddr("10.0.0.101") }, false},
		"to the group of before":      {target, func(d *netcheck.Datagram) { d.To = group.Group }, false},
		"to the group":                {group, func(d *netcheck.Datagram) { d.To = group.Group }, true},
		"to this node, not the group": {group, func(*netcheck.Datagram) {}, false},
		"to another port":             {target, func(d *netcheck.Datagram) { d.Port++ }, false},
		"on another interface":        {target, func(d *netcheck.Datagram) { d.Device = "eth2" }, false},
		"of somebody else":            {target, func(d *netcheck.Datagram) { d.From = d.To }, false},
		"without content":             {target, func(d *netcheck.Datagram) { d.Payload = nil }, false},
		"its own":                     {target, func(d *netcheck.Datagram) { d.Own = true }, false},
	} {
		d := sent
		tt.change(&d)
		if got := isSync(d, tt.target); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
