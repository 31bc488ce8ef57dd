package firewall

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
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
	transport           value // the beginning of its header
	hopLimit            byte  // 0 where it is not known
	tracked             tracking
	changed             changes
}

// tracking is what connection tracking knows of a packet.
type tracking uint8

const (
	tracks tracking = iota
	untracked
	eitherWay // a rule may have taken it out of connection tracking
)

// flows are the packets that have to come through for the sync: datagrams both
// ways, and with IPv6 the questions and answers by which the nodes find one
// another. ARP does not meet these rules. Of a spare link whose interface is not there
// are none.
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
	base.direct = directly(peer, link)
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
	if f.Family() == 4 {
		return all, nil
	}
	for _, p := range []firstPacket{in, out} {
		for _, kind := range []ipv6.ICMPType{ipv6.ICMPTypeNeighborSolicitation, ipv6.ICMPTypeNeighborAdvertisement} {
			p.what, p.protocol, p.hopLimit = "the search for the neighbour (ICMPv6 135 and 136)", unix.IPPROTO_ICMPV6, packet.NDHopLimit
			p.tracked = untracked // by the kernel itself
			p.transport = unknowns(packet.NDOptionsAt)
			p.transport.put(0, byte(kind), 0)
			if kind == ipv6.ICMPTypeNeighborSolicitation {
				p.destination = packet.SolicitedNode(p.destination)
			}
			all = append(all, &p)
		}
	}
	return all, nil
}

// directly says whether the kernel would answer an address through a link.
func directly(peer netip.Addr, link netlink.Link) bool {
	routes, err := netlink.RouteGetWithOptions(peer.AsSlice(), &netlink.RouteGetOptions{Oif: link.Attrs().Name})
	return err == nil && len(routes) > 0 && routes[0].LinkIndex == link.Attrs().Index
}

func (p *firstPacket) is6() bool { return p.source.Is6() }

// networkHeader is what is known of the IP header.
func (p *firstPacket) networkHeader() value {
	if p.is6() {
		h := unknowns(packet.IPv6HeaderSize)
		h.bytes[0], h.known[0] = 0x60, 0xf0
		h.put(packet.IPv6NextHeaderAt, p.protocol)
		if p.hopLimit != 0 {
			h.put(packet.IPv6HopLimitAt, p.hopLimit)
		}
		h.put(packet.IPv6SourceAt, p.source.AsSlice()...)
		h.put(packet.IPv6SourceAt+16, p.destination.AsSlice()...)
		p.blank(h, packet.IPv6SourceAt, 16)
		return h
	}
	h := unknowns(20)
	h.put(0, 0x45)    // no options
	h.known[6] = 0x3f // no fragment: offset 0, no more to come
	h.known[7] = 0xff
	h.put(packet.IPv4ProtocolAt, p.protocol)
	h.put(packet.IPv4SourceAt, p.source.AsSlice()...)
	h.put(packet.IPv4SourceAt+4, p.destination.AsSlice()...)
	p.blank(h, packet.IPv4SourceAt, 4)
	return h
}

// Connection tracking begins at this priority, in the hooks that see a packet
// first (NF_IP_PRI_CONNTRACK).
const conntrackPriority = -200

// The states that rules ask for. Those of iptables' own match are the same but
// for the last, and it has more.
const (
	stateInvalid       = 1
	stateNew           = 8
	stateUntracked     = 64
	statesTranslatedXT = 64 | 128 // of the source, of the destination
	stateUntrackedXT   = 256
)

// state is the flow's state at a base chain, as one of the bits above; 0 when
// it cannot be told. There is always one.
func (p *firstPacket) state(c *chain) uint32 {
	first := c.ingress() || c.egress() || c.Hook == hookPrerouting || c.Hook == hookOutput
	switch {
	case p.tracked == untracked && !(first && p.protocol == unix.IPPROTO_ICMPV6 && c.Priority < conntrackPriority):
		return stateUntracked
	case c.egress(), c.Family == nftables.TableFamilyBridge, p.tracked == eitherWay, first && c.Priority == conntrackPriority:
		return 0
	case c.ingress(), first && c.Priority < conntrackPriority:
		return stateInvalid
	}
	return stateNew
}

// leaveUntracked is what a rule of a base chain does that takes the flow out of
// connection tracking; afterwards it is too late.
func (p *firstPacket) leaveUntracked(c *chain, certain truth) {
	switch {
	case p.tracked == untracked || c.Hook != hookPrerouting && c.Hook != hookOutput || c.Priority > conntrackPriority:
	case certain == yes && c.Priority < conntrackPriority:
		p.tracked = untracked
	default:
		p.tracked = eitherWay
	}
}
