package firewall

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
)

// firstPacket is one direction of what the sync needs, as the first packet of it: the
// daemon's two directions are two flows, so none is ever the reply of another.
type firstPacket struct {
	what                string // in words, such as "the sync datagrams"
	in                  bool
	iface               string
	index               int
	group, kind         uint32 // of the interface; kind is its ARPHRD
	source, destination netip.Addr
	protocol            byte
	transport           value // the beginning of its header
	hopLimit            byte  // 0 where it is not known
	tracked             tracking
	// translated says that a rule may have rewritten an address.
	translated bool
	// direct says that the way back to the source leaves through iface.
	direct bool
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
// another. ARP does not meet these rules.
func (t Flow) flows() ([]*firstPacket, error) {
	link, err := netlink.LinkByName(t.Interface)
	if err != nil {
		return nil, err
	}
	peer, current := t.Peer.Addr().Unmap().WithZone(""), t.Current.Addr().Unmap().WithZone("")
	base := firstPacket{iface: link.Attrs().Name, index: link.Attrs().Index, group: link.Attrs().Group, direct: directly(peer, link)}
	if link.Attrs().EncapType == "ether" {
		base.kind = unix.ARPHRD_ETHER
	}
	in, out := base, base
	in.in, in.source, in.destination = true, peer, current
	out.source, out.destination = current, peer
	var all []*firstPacket
	for _, f := range []firstPacket{in, out} {
		f.what, f.protocol = "the sync datagrams", unix.IPPROTO_UDP
		f.transport = unknowns(packet.UDPHeaderSize)
		f.transport.put(2, binary.BigEndian.AppendUint16(nil, t.Port)...) // the source port is anything
		all = append(all, &f)
	}
	if t.Family() == 4 {
		return all, nil
	}
	for _, f := range []firstPacket{in, out} {
		for _, kind := range []ipv6.ICMPType{ipv6.ICMPTypeNeighborSolicitation, ipv6.ICMPTypeNeighborAdvertisement} {
			f.what, f.protocol, f.hopLimit = "the search for the neighbour (ICMPv6 135 and 136)", unix.IPPROTO_ICMPV6, packet.NDHopLimit
			f.tracked = untracked // by the kernel itself
			f.transport = unknowns(packet.NDOptionsAt)
			f.transport.put(0, byte(kind), 0)
			if kind == ipv6.ICMPTypeNeighborSolicitation {
				f.destination = packet.SolicitedNode(f.destination)
			}
			all = append(all, &f)
		}
	}
	return all, nil
}

// directly says whether the kernel would answer an address through a link.
func directly(peer netip.Addr, link netlink.Link) bool {
	routes, err := netlink.RouteGetWithOptions(peer.AsSlice(), &netlink.RouteGetOptions{Oif: link.Attrs().Name})
	return err == nil && len(routes) > 0 && routes[0].LinkIndex == link.Attrs().Index
}

func (f *firstPacket) is6() bool { return f.source.Is6() }

// networkHeader is what is known of the IP header.
func (f *firstPacket) networkHeader() value {
	if f.is6() {
		h := unknowns(packet.IPv6HeaderSize)
		h.bytes[0], h.known[0] = 0x60, 0xf0
		h.put(packet.IPv6NextHeaderAt, f.protocol)
		if f.hopLimit != 0 {
			h.put(packet.IPv6HopLimitAt, f.hopLimit)
		}
		h.put(packet.IPv6SourceAt, f.source.AsSlice()...)
		h.put(packet.IPv6SourceAt+16, f.destination.AsSlice()...)
		return h
	}
	h := unknowns(20)
	h.put(0, 0x45)    // no options
	h.known[6] = 0x3f // no fragment: offset 0, no more to come
	h.known[7] = 0xff
	h.put(packet.IPv4ProtocolAt, f.protocol)
	h.put(packet.IPv4SourceAt, f.source.AsSlice()...)
	h.put(packet.IPv4SourceAt+4, f.destination.AsSlice()...)
	return h
}

// Connection tracking begins at this priority, in the hooks that see a packet
// first (NF_IP_PRI_CONNTRACK).
const conntrackPriority = -200

// The states that rules ask for. Those of iptables' own match are the same but
// for the last.
const (
	stateInvalid     = 1
	stateNew         = 8
	stateUntracked   = 64
	stateUntrackedXT = 256
)

// state is the flow's state at a base chain, as one of the bits above; 0 when
// it cannot be told. There is always one.
func (f *firstPacket) state(c *chain) uint32 {
	first := c.ingress() || c.egress() || c.hook == hookPrerouting || c.hook == hookOutput
	switch {
	case f.tracked == untracked && !(first && f.protocol == unix.IPPROTO_ICMPV6 && c.priority < conntrackPriority):
		return stateUntracked
	case c.egress(), f.tracked == eitherWay, first && c.priority == conntrackPriority:
		return 0
	case c.ingress(), first && c.priority < conntrackPriority:
		return stateInvalid
	}
	return stateNew
}

// leaveUntracked is what a rule of a base chain does that takes the flow out of
// connection tracking; afterwards it is too late.
func (f *firstPacket) leaveUntracked(c *chain, certain truth) {
	switch {
	case f.tracked == untracked || c.hook != hookPrerouting && c.hook != hookOutput || c.priority > conntrackPriority:
	case certain == yes && c.priority < conntrackPriority:
		f.tracked = untracked
	default:
		f.tracked = eitherWay
	}
}
