package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
	"connsync/netcheck/route"
	"connsync/trust"
)

// firstPacket is one direction of what the sync needs, as the first packet of it: the
// daemon's two directions are two flows, so none is ever the reply of another.
type firstPacket struct {
	link Flow
	what string // in words, such as "the sync datagrams"
	in   bool
	device
	source, destination netip.Addr
	protocol            byte
	arp                 uint16 // the operation of an ARP message; 0 of what is IP
	transport           value  // the beginning of its header
	hopLimit            byte   // 0 where it is not known
	tracked             tracking
	changed             changes
	marks
	// spared says that it may not be needed: the peer may not have to ask, or no switch.
	spared bool
	// extended says that its IP header has options.
	extended bool
}

// flows are the packets that have to come through for the sync: datagrams both
// ways, and the questions and answers by which the nodes find one another. Of a spare
// link whose interface is not there are none.
func (f Flow) flows() ([]*firstPacket, error) {
	var all []*firstPacket
	for i, l := range f.links() {
		packets, err := l.ofLink()
		if err != nil && i > 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, p := range packets {
			if i > 0 {
				p.what += " of the spare link " + l.Interface
			}
		}
		all = append(all, packets...)
	}
	return all, nil
}

// ofLink are the flows of one link.
func (f Flow) ofLink() ([]*firstPacket, error) {
	link, err := netlink.LinkByName(f.Interface)
	if err != nil {
		return nil, err
	}
	peer, current := f.Peer.Addr().Unmap().WithZone(""), f.Current.Addr().Unmap().WithZone("")
	base := firstPacket{link: f, device: deviceOf(link)}
	base.direct = directly(current, peer, link)
	in, out := base, base
	in.in, in.source, in.destination = true, peer, current
	out.source, out.destination = current, peer
	var all []*firstPacket
	for _, p := range []firstPacket{in, out} {
		p.what, p.protocol = "the sync datagrams", unix.IPPROTO_UDP
		p.destination = f.destination(p.in)
		p.transport = unknowns(packet.UDPHeaderSize)
		p.transport.put(2, binary.BigEndian.AppendUint16(nil, f.Port)...) // the source port is anything
		all = append(all, &p)
	}
	switch {
	case f.Group.IsValid():
		return append(all, f.membership(in, out)...), nil // the hardware address is that of the group
	case link.Attrs().RawFlags&unix.IFF_NOARP != 0:
		return all, nil
	}
	given, err := isGiven(peer, link)
	if err != nil {
		return nil, err
	}
	for _, p := range []firstPacket{in, out} {
		for _, asks := range []bool{true, false} {
			if p.spared = given; given && asks != p.in {
				continue // of this node's own search, which it does not make
			}
			all = append(all, p.search(asks))
		}
	}
	return all, nil
}

// search is the question of who sends the packet for the hardware address of the other
// node, or the answer.
func (p firstPacket) search(asks bool) *firstPacket {
	if !p.is6() {
		p.what, p.arp = "the search for the neighbour (ARP)", packet.ARPReply
		if asks {
			p.arp = packet.ARPRequest
		}
		return &p
	}
	p.what, p.protocol, p.hopLimit = "the search for the neighbour (ICMPv6 135 and 136)", unix.IPPROTO_ICMPV6, packet.NDHopLimit
	p.tracked = untrackable
	p.transport = unknowns(packet.NDOptionsAt)
	kind := ipv6.ICMPTypeNeighborAdvertisement
	if asks {
		kind, p.destination = ipv6.ICMPTypeNeighborSolicitation, packet.SolicitedNode(p.destination)
	}
	p.transport.put(0, byte(kind), 0)
	return &p
}

// message is one of IGMP or MLD, and where it goes.
type message struct {
	in   bool
	kind byte
	to   netip.Addr
}

// membership is what a switch that looks into IGMP or MLD has to hear and be told, so
// that it forwards the group, by the old version of these and the new; in and out are
// packets without anything of it.
func (f Flow) membership(in, out firstPacket) (all []*firstPacket) {
	if f.Group.Is4() && netip.PrefixFrom(netip.AddrFrom4([4]byte{224, 0, 0, 0}), 24).Contains(f.Group) || f.Group.IsInterfaceLocalMulticast() {
		return nil // forwarded everywhere, or nowhere
	}
	what, protocol := "the messages of the group's membership (IGMP)", byte(unix.IPPROTO_IGMP)
	messages := []message{ // RFC 2236, 2 and 9, and RFC 3376, 4
		{true, 0x11, netip.AddrFrom4([4]byte{224, 0, 0, 1})},
		{false, 0x22, netip.AddrFrom4([4]byte{224, 0, 0, 22})},
		{false, 0x16, f.Group},
	}
	if f.Group.Is6() {
		what, protocol = "the messages of the group's membership (MLD)", unix.IPPROTO_ICMPV6
		messages = []message{ // RFC 2710, 8, and RFC 3810, 5
			{true, byte(ipv6.ICMPTypeMulticastListenerQuery), netip.IPv6LinkLocalAllNodes()},
			{false, byte(ipv6.ICMPTypeVersion2MulticastListenerReport), netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x16})},
			{false, byte(ipv6.ICMPTypeMulticastListenerReport), f.Group},
		}
	}
	for _, m := range messages {
		p := out
		if m.in {
			p = in
		}
		p.what, p.protocol, p.hopLimit, p.destination = what, protocol, 1, m.to
		p.spared, p.extended = true, true
		p.transport = unknowns(packet.ICMPHeaderSize)
		p.transport.put(0, m.kind)
		if p.is6() {
			p.tracked = untrackable
		}
		if p.in || p.is6() { // from a switch, or from an address of the link alone
			p.changed |= otherSource
		}
		all = append(all, &p)
	}
	return all
}

// isGiven says whether the peer's hardware address was given to this node for good.
func isGiven(peer netip.Addr, link netlink.Link) (bool, error) {
	family := netlink.FAMILY_V4
	if peer.Is6() {
		family = netlink.FAMILY_V6
	}
	all, err := trust.Message(func() ([]netlink.Neigh, error) { return netlink.NeighList(link.Attrs().Index, family) })
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("list the neighbours on %s: %w", link.Attrs().Name, err)
	}
	return slices.ContainsFunc(all, func(n netlink.Neigh) bool {
		a, ok := netip.AddrFromSlice(n.IP)
		return ok && a.Unmap() == peer && n.State&netlink.NUD_PERMANENT != 0
	}), nil
}

// directly says whether the kernel would answer what comes from peer to current through a
// link. What reads reverse paths asks for the answer's way, and for no link.
func directly(current, peer netip.Addr, link netlink.Link) bool {
	q := route.Question{To: peer, From: current}
	if peer.Is6() && peer.IsLinkLocalUnicast() {
		q.Link = link.Attrs().Index
	}
	a, err := route.Ask(q)
	return err == nil && a.Kind == unix.RTN_UNICAST && a.Link == link.Attrs().Index
}

func (p *firstPacket) is6() bool { return p.source.Is6() }

func (p *firstPacket) nfproto() byte {
	switch {
	case p.arp != 0:
		return unix.NFPROTO_ARP
	case p.is6():
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

func (p *firstPacket) ethertype() uint16 {
	switch {
	case p.arp != 0:
		return unix.ETH_P_ARP
	case p.is6():
		return unix.ETH_P_IPV6
	}
	return unix.ETH_P_IP
}

// networkHeader is what is known of the IP header, or of the ARP message.
func (p *firstPacket) networkHeader() value {
	if p.arp != 0 {
		h := unknowns(packet.ARPSize)
		if p.kind == unix.ARPHRD_ETHER {
			h.put(0, 0, unix.ARPHRD_ETHER)
			h.put(4, 6)
		}
		h.put(2, unix.ETH_P_IP>>8, unix.ETH_P_IP&0xff)
		h.put(5, 4)
		h.put(packet.ARPOperationAt, binary.BigEndian.AppendUint16(nil, p.arp)...)
		h.put(packet.ARPSourceAt, p.source.AsSlice()...)
		h.put(packet.ARPTargetAt, p.destination.AsSlice()...)
		if p.changed&astray != 0 {
			clear(h.known)
		}
		return h
	}
	if p.is6() {
		h := unknowns(packet.IPv6HeaderSize)
		h.bytes[0], h.known[0] = 0x60, 0xf0
		if h.put(packet.IPv6NextHeaderAt, p.protocol); p.extended {
			h.put(packet.IPv6NextHeaderAt, 0) // options for each hop (RFC 8200, 4.3)
		}
		if p.hopLimit != 0 {
			h.put(packet.IPv6HopLimitAt, p.hopLimit)
		}
		h.put(packet.IPv6SourceAt, p.source.AsSlice()...)
		h.put(packet.IPv6SourceAt+16, p.destination.AsSlice()...)
		p.blank(h, packet.IPv6SourceAt, 16)
		return h
	}
	h := unknowns(20)
	if h.put(0, 0x45); p.extended { // without options
		h.put(0, 0x46)
	}
	h.known[6] = 0x3f // no fragment: offset 0, no more to come
	h.known[7] = 0xff
	h.put(packet.IPv4ProtocolAt, p.protocol)
	h.put(packet.IPv4SourceAt, p.source.AsSlice()...)
	h.put(packet.IPv4SourceAt+4, p.destination.AsSlice()...)
	p.blank(h, packet.IPv4SourceAt, 4)
	return h
}
