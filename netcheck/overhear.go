package netcheck

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
)

const (
	// How much of a packet is kept: the headers of what this node sends, and of
	// an answer the packet that it is about.
	keepOwn    = 128
	keepAnswer = 256
	keepAll    = 1 << 16
)

// equal is one comparison of a packet filter.
type equal struct {
	load bpf.Instruction
	to   uint32
}

// acceptWhere accepts keep bytes of a packet where every comparison holds, and goes
// on to what follows where one does not.
func acceptWhere(keep uint32, comparisons ...equal) []bpf.Instruction {
	var program []bpf.Instruction
	for i, c := range comparisons {
		left := 2*(len(comparisons)-i-1) + 1
		program = append(program, c.load, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: c.to, SkipTrue: uint8(left)})
	}
	return append(program, bpf.RetConstant{Val: keep})
}

// peerOn is a peer, where it is heard, and port and group of that link, which may have none.
type peerOn struct {
	peer  netip.Addr
	index int
	port  uint16
	group netip.Addr
}

// wordsAt compares an address that begins at an offset.
func wordsAt(addr netip.Addr, at uint32) []equal {
	var words []equal
	for i, b := 0, addr.AsSlice(); i < len(b); i += 4 {
		words = append(words, equal{bpf.LoadAbsolute{Off: at + uint32(i), Size: 4}, binary.BigEndian.Uint32(b[i:])})
	}
	return words
}

// filterBetween accepts the UDP datagrams from and to peer, its ICMP messages, and what
// this node sends to the groups. Offsets count from the IP header.
func filterBetween(peer netip.Addr, groups []netip.Addr) []bpf.Instruction {
	protocol := equal{bpf.LoadExtension{Num: bpf.ExtProto}, unix.ETH_P_IP}
	carries, source, icmp := uint32(packet.IPv4ProtocolAt), uint32(packet.IPv4SourceAt), uint32(unix.IPPROTO_ICMP)
	if peer.Is6() {
		protocol.to = unix.ETH_P_IPV6
		carries, source, icmp = packet.IPv6NextHeaderAt, packet.IPv6SourceAt, unix.IPPROTO_ICMPV6
	}
	of := func(number uint32, addr netip.Addr, at uint32) []equal {
		return append([]equal{protocol, {bpf.LoadAbsolute{Off: carries, Size: 1}, number}}, wordsAt(addr, at)...)
	}
	destination := source + uint32(peer.BitLen()/8)
	program := acceptWhere(keepAll, of(unix.IPPROTO_UDP, peer, source)...)
	program = append(program, acceptWhere(keepAnswer, of(icmp, peer, source)...)...)
	program = append(program, acceptWhere(keepOwn, of(unix.IPPROTO_UDP, peer, destination)...)...)
	for _, group := range groups {
		program = append(program, acceptWhere(keepOwn, append(of(unix.IPPROTO_UDP, group, destination), equal{bpf.LoadExtension{Num: bpf.ExtType}, unix.PACKET_OUTGOING})...)...)
	}
	return append(program, bpf.RetConstant{Val: 0})
}

// filterOthers accepts the UDP datagrams of a family to one of the ports, but for
// those that a filterBetween accepts.
func filterOthers(family int, ports []uint16, heard []peerOn) []bpf.Instruction {
	carries, source := uint32(packet.IPv4ProtocolAt), uint32(packet.IPv4SourceAt)
	var program []bpf.Instruction
	port := bpf.Instruction(bpf.LoadAbsolute{Off: packet.IPv6HeaderSize + 2, Size: 2})
	if family == 4 {
		program = append(program, bpf.LoadMemShift{Off: 0})
		port = bpf.LoadIndirect{Off: 2, Size: 2}
	} else {
		carries, source = packet.IPv6NextHeaderAt, packet.IPv6SourceAt
	}
	for _, h := range heard {
		if h.peer.Is6() == (family == 6) {
			device := equal{bpf.LoadExtension{Num: bpf.ExtInterfaceIndex}, uint32(h.index)}
			program = append(program, acceptWhere(0, append([]equal{device}, wordsAt(h.peer, source)...)...)...)
		}
	}
	for _, p := range ports {
		program = append(program, acceptWhere(keepAll, equal{bpf.LoadAbsolute{Off: carries, Size: 1}, unix.IPPROTO_UDP}, equal{port, uint32(p)})...)
	}
	return append(program, bpf.RetConstant{Val: 0})
}

// overhearing reads what a filter has let through.
type overhearing struct {
	peer   netip.Addr   // invalid for whoever sends
	six    bool         // without a peer: the address family
	ports  []uint16     // of the sync
	groups []netip.Addr // to which this node sends
}

func (o overhearing) is6() bool { return o.peer.Is6() || o.six }

// datagram reads one packet, from the IP header; ok is false when it is none
// of those looked for. own says that this node sends it.
func (o overhearing) datagram(b []byte, own bool) (d Datagram, ok bool) {
	from, to, transport, body := o.split(b)
	d = Datagram{From: from, To: to, Own: own}
	switch {
	case body == nil:
		return Datagram{}, false
	case transport != unix.IPPROTO_UDP:
		if own {
			return Datagram{}, false
		}
		d.Refused = true
		d.SourcePort, d.Port, ok = o.refused(body)
		return d, ok && slices.Contains(o.ports, d.Port)
	case len(body) < packet.UDPHeaderSize, own && to != o.peer && !slices.Contains(o.groups, to):
		return Datagram{}, false
	}
	d.SourcePort, d.Port = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	// The length in the UDP header counts: an Ethernet frame may be padded.
	length := int(binary.BigEndian.Uint16(body[packet.UDPLengthAt:]))
	if d.Own {
		length = min(length, len(body)) // it was cut
	}
	if length < packet.UDPHeaderSize || length > len(body) || d.Own && !slices.Contains(o.ports, d.Port) {
		return Datagram{}, false
	}
	d.Payload = body[packet.UDPHeaderSize:length]
	return d, true
}

// split takes the IP header off; body is nil when the packet is cut or a
// fragment.
func (o overhearing) split(b []byte) (from, to netip.Addr, transport int, body []byte) {
	if o.is6() {
		if len(b) < packet.IPv6HeaderSize {
			return from, to, 0, nil
		}
		from, _ = netip.AddrFromSlice(b[packet.IPv6SourceAt : packet.IPv6SourceAt+16])
		to, _ = netip.AddrFromSlice(b[packet.IPv6SourceAt+16 : packet.IPv6SourceAt+32])
		return from, to, int(b[packet.IPv6NextHeaderAt]), b[packet.IPv6HeaderSize:]
	}
	if len(b) == 0 {
		return from, to, 0, nil
	}
	header := int(b[0]&0x0f) * 4
	if header < 20 || len(b) < header || binary.BigEndian.Uint16(b[packet.IPv4FragmentAt:])&0x3fff != 0 {
		return from, to, 0, nil
	}
	from, _ = netip.AddrFromSlice(b[packet.IPv4SourceAt : packet.IPv4SourceAt+4])
	to, _ = netip.AddrFromSlice(b[packet.IPv4SourceAt+4 : packet.IPv4SourceAt+8])
	return from, to, int(b[packet.IPv4ProtocolAt]), b[header:]
}

// refused reads an ICMP or ICMPv6 message that a port cannot be reached or is
// closed to us (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1), and returns the
// ports of the datagram to the peer that it is about.
func (o overhearing) refused(icmp []byte) (source, port uint16, ok bool) {
	if len(icmp) < packet.ICMPHeaderSize {
		return 0, 0, false
	}
	kind, code := icmp[0], icmp[1]
	switch {
	case o.peer.Is4() && kind == 3 && (code == 3 || code == 9 || code == 10 || code == 13):
	case o.peer.Is6() && kind == 1 && (code == 1 || code == 4 || code == 5 || code == 6):
	default:
		return 0, 0, false
	}
	_, to, transport, datagram := o.split(icmp[packet.ICMPHeaderSize:])
	if transport != unix.IPPROTO_UDP || len(datagram) < packet.UDPHeaderSize || to != o.peer {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(datagram), binary.BigEndian.Uint16(datagram[2:]), true
}
