package health

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/trust"
)

// peerUnresolved says that the kernel asks for the peer on the link and gets no
// answer (ARP or neighbour solicitation). That it did not ask, or could not be
// asked itself, is no sign of absence.
func peerUnresolved(s conntrackd.Settings) bool {
	peer := s.Peer.Addr().WithZone("").Unmap()
	link, err := linkOf(s)
	if err != nil || !peer.IsValid() {
		return false
	}
	family := unix.AF_INET
	if peer.Is6() {
		family = unix.AF_INET6
	}
	neighbours, err := trust.Message(func() ([]netlink.Neigh, error) { return netlink.NeighList(link.Attrs().Index, family) })
	if err != nil {
		return false
	}
	for _, n := range neighbours {
		if n.IP.Equal(peer.AsSlice()) {
			return n.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) != 0
		}
	}
	return false
}

func linkOf(s conntrackd.Settings) (netlink.Link, error) {
	return trust.Message(func() (netlink.Link, error) { return netlink.LinkByName(s.Interface) })
}

// goneFromHere says what this node surely has no more: Interface, or Current IP on
// it.
func goneFromHere(s conntrackd.Settings) (iface, address bool) {
	link, err := linkOf(s)
	if err != nil {
		return errors.As(err, &netlink.LinkNotFoundError{}), false
	}
	addresses, err := trust.Message(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return false, false
	}
	current := s.Current.Addr().WithZone("").Unmap()
	for _, a := range addresses {
		if a.IP.Equal(current.AsSlice()) {
			return false, false
		}
	}
	return false, current.IsValid()
}
