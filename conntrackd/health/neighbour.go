package health

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/trust"
)

// neighbour is what the kernel knows of a peer on its link.
type neighbour struct {
	// unresolved says that it asks for the peer and gets no answer (ARP or neighbour
	// solicitation). That it did not ask, or could not be asked itself, is no sign
	// of absence.
	unresolved bool
	hardware   string // the hardware address that was answered; blank where there is none
}

// neighbourOn looks for the peer of a link.
func neighbourOn(s conntrackd.Settings) neighbour {
	peer := s.Peer.Addr().WithZone("").Unmap()
	link, err := linkOf(s)
	if err != nil || !peer.IsValid() {
		return neighbour{}
	}
	family := unix.AF_INET
	if peer.Is6() {
		family = unix.AF_INET6
	}
	neighbours, err := trust.Message(func() ([]netlink.Neigh, error) { return netlink.NeighList(link.Attrs().Index, family) })
	if err != nil {
		return neighbour{}
	}
	for _, n := range neighbours {
		switch {
		case !n.IP.Equal(peer.AsSlice()):
		case n.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) != 0:
			return neighbour{unresolved: true}
		default:
			return neighbour{hardware: n.HardwareAddr.String()}
		}
	}
	return neighbour{}
}

// ownAddresses are all addresses of this node, as far as they could be read.
func ownAddresses() []netip.Addr {
	all, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil
	}
	var addresses []netip.Addr
	for _, a := range all {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			addresses = append(addresses, addr.Unmap())
		}
	}
	return addresses
}

func linkOf(s conntrackd.Settings) (netlink.Link, error) {
	return trust.Message(func() (netlink.Link, error) { return netlink.LinkByName(s.Interface) })
}

// goneFromHere says what this node surely has no more: Interface, or Current IP on
// it.
func goneFromHere(s conntrackd.Settings) (iface, address bool) {
	if s.Interface == "" {
		return false, false
	}
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

// ofOtherNode says that the settings are the other node's: Peer IP is an address of
// this node, and Current IP is not.
func ofOtherNode(s conntrackd.Settings) bool {
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return false
	}
	has := func(p netip.Prefix) bool {
		wanted := p.Addr().WithZone("").Unmap()
		return wanted.IsValid() && slices.ContainsFunc(addresses, func(a netlink.Addr) bool { return a.IP.Equal(wanted.AsSlice()) })
	}
	return has(s.Peer) && !has(s.Current)
}
