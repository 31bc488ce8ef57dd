package netcheck

import (
	"fmt"

	"github.com/vishvananda/netlink"

	"connsync/netcheck/check"
)

// allAstray is for a peer whose every reply comes in by another interface: the kernel
// takes what is for one of its addresses on any of them, and the peer sends by the
// interface and to the hardware address that it believes in.
func allAstray(t Target, link Interface, device int) check.Finding {
	current, other := t.Current.Addr().Unmap().WithZone(""), nameOf(device)
	remedy := fmt.Sprintf("on the peer: %s; it has to leave by the interface that is wired to %s here", t.ip("route get %v", current), link.Name)
	if t.Family() == 4 {
		remedy += fmt.Sprintf(". If %s and %s are in one subnet: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2, and on the peer: ip neighbour del %v dev INTERFACE",
			link.Name, other, current)
	}
	return check.Fail(remedy, "%v answers, and every reply comes in by %s, not by %s", t.Peer.Addr().Unmap(), other, link.Name)
}

// viaOther adds to a finding about an answer of the peer that it came in by another
// interface.
func viaOther(f check.Finding, link Interface, device int) check.Finding {
	if device != 0 && device != link.Index {
		f.Detail += fmt.Sprintf("; its answer came in by %s, not by %s", nameOf(device), link.Name)
	}
	return f
}

// nameOf is the name of an interface, or its number where it has gone.
func nameOf(index int) string {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("interface %d", index)
	}
	return link.Attrs().Name
}
