package coverage

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/trust"
)

// ownAddresses are the addresses at which packets end on this node: those connections
// are its own, and die with it.
type ownAddresses struct {
	hosts    map[netip.Addr]bool
	networks []netip.Prefix
	shared   map[netip.Addr]bool // those that the peer takes for its own, too
	fixed    Fixed
}

// readOwn reads them in the network namespace of the calling thread, and adds more,
// such as virtual addresses that another node has now.
func readOwn(more []netip.Addr) (ownAddresses, error) {
	own := ownAddresses{hosts: map[netip.Addr]bool{}, shared: map[netip.Addr]bool{}}
	for _, a := range more {
		own.hosts[a.Unmap().WithZone("")], own.shared[a.Unmap().WithZone("")] = true, true
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		addresses, err := trust.Message(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, family) })
		if err != nil {
			return own, fmt.Errorf("%w: list this node's addresses: %w", conntrackd.ErrCannotLook, err)
		}
		for _, a := range addresses {
			if host, ok := netip.AddrFromSlice(a.IP); ok {
				own.hosts[host.Unmap()] = true
			}
		}
		// The local table has broadcast addresses and whole local networks, too.
		routes, err := trust.Message(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return own, fmt.Errorf("%w: list this node's local routes: %w", conntrackd.ErrCannotLook, err)
		}
		for _, r := range routes {
			own.addRoute(r)
		}
	}
	return own, nil
}

func (o *ownAddresses) addRoute(r netlink.Route) {
	if r.Dst == nil || r.Type != unix.RTN_LOCAL && r.Type != unix.RTN_BROADCAST && r.Type != unix.RTN_ANYCAST {
		return
	}
	a, ok := netip.AddrFromSlice(r.Dst.IP)
	ones, bits := r.Dst.Mask.Size()
	if a = a.Unmap(); !ok || bits != a.BitLen() {
		return
	}
	if ones == bits {
		o.hosts[a] = true
		return
	}
	o.networks = append(o.networks, netip.PrefixFrom(a, ones))
}

func (o *ownAddresses) has(a netip.Addr) bool {
	if o.hosts[a] {
		return true
	}
	for _, p := range o.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Addresses of the test states that a proof of the sync makes (RFC 5737).
var testLow, testHigh = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")

// MessageMark marks entries that carry what one node's connsync tells the other's.
const MessageMark = 0x636e7379

// ownEntry says that an entry is not one of a connection that goes through this node:
// it begins or ends here, stays on its link, is a test state or a message.
func (o *ownAddresses) ownEntry(e *Entry) bool {
	return o.has(e.Original.Source) || o.has(e.Reply.Source) || o.peersOwn(e)
}

// Fixed is what the peer does not get at a failover; its zero value where nobody knows.
type Fixed struct {
	Addresses []netip.Addr   // of this node
	Behind    []netip.Prefix // networks that have this node alone, such as that of its containers
}

// ties is the fixed address to which NAT ties a connection through this node, invalid where it is
// none: the packets of one side go there, and nobody is there any more.
func (f *Fixed) ties(e *Entry) netip.Addr {
	for _, side := range [...]struct{ wanted, hidden netip.Addr }{
		{e.Reply.Destination, e.Original.Source}, // source NAT
		{e.Original.Destination, e.Reply.Source}, // destination NAT
	} {
		behind := func(n netip.Prefix) bool { return n.Contains(side.hidden) }
		if slices.Contains(f.Addresses, side.wanted) && !slices.ContainsFunc(f.Behind, behind) {
			return side.wanted
		}
	}
	return netip.Addr{}
}

// peersOwn is ownEntry as far as the peer knows: one that ends at another address of this node
// is to the peer a connection that goes through it, as of those who reach this node that way.
func (o *ownAddresses) peersOwn(e *Entry) bool {
	source, server, wanted := e.Original.Source, e.Reply.Source, e.Original.Destination
	switch {
	case o.shared[source], o.shared[server], source.IsUnspecified(), source.IsLoopback(), e.Mark == MessageMark:
		return true
	case server.IsMulticast(), wanted.IsMulticast(), wanted == broadcast:
		return true
	case source.IsLinkLocalUnicast(), server.IsLinkLocalUnicast():
		return true
	case source == testLow && server == testHigh, source == testHigh && server == testLow:
		return true
	}
	return false
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// ending says that an entry needs no successor: the connection is over, or its first
// packet was not answered yet and is sent again, which makes an entry wherever it goes.
// Half-closed connections may go on for long and are none of these.
func (e *Entry) ending() bool {
	switch {
	case e.Dying:
		return true
	case e.Protocol == unix.IPPROTO_TCP && e.HasState:
		switch e.State {
		case tcpSynSent, tcpSynSent2, tcpLastAck, tcpTimeWait, tcpClose:
			return true
		}
	case e.Protocol == unix.IPPROTO_SCTP && e.HasState:
		return e.State == sctpClosed || e.State == sctpShutdownAckSent
	}
	return false
}
