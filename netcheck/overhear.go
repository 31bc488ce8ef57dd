package netcheck

import (
	"encoding/binary"
	"net/netip"

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

// filterBetween accepts the UDP datagrams from and to peer, and its ICMP
// messages. Offsets count from the IP header.
func filterBetween(peer netip.Addr) []bpf.Instruction {
	protocol := equal{bpf.LoadExtension{Num: bpf.ExtProto}, unix.ETH_P_IP}
	carries, source, icmp := uint32(packet.IPv4ProtocolAt), uint32(packet.IPv4SourceAt), uint32(unix.IPPROTO_ICMP)
	if peer.Is6() {
		protocol.to = unix.ETH_P_IPV6
		carries, source, icmp = packet.IPv6NextHeaderAt, packet.IPv6SourceAt, unix.IPPROTO_ICMPV6
	}
	address := func(at uint32) []equal {
		var words []equal
		for i, b := 0, peer.AsSlice(); i < len(b); i += 4 {
			words = append(words, equal{bpf.LoadAbsolute{Off: at + uint32(i), Size: 4}, binary.BigEndian.Uint32(b[i:])})
		}
		return words
	}
	of := func(number uint32, at uint32) []equal {
		return append([]equal{protocol, {bpf.LoadAbsolute{Off: carries, Size: 1}, number}}, address(at)...)
	}
	destination := source + uint32(peer.BitLen()/8)
	program := acceptWhere(keepAll, of(unix.IPPROTO_UDP, source)...)
	program = append(program, acceptWhere(keepAnswer, of(icmp, source)...)...)
	program = append(program, acceptWhere(keepOwn, of(unix.IPPROTO_UDP, destination)...)...)
	return append(program, bpf.RetConstant{Val: 0})
}

// overhearing reads what filterBetween has let through.
type overhearing struct {
	peer netip.Addr
	port uint16 // of the sync
}

// datagram reads one packet, from the IP header; ok is false when it is none
// of those looked for.
func (o overhearing) datagram(b []byte) (d Datagram, ok bool) {
	from, transport, body := o.split(b)
	switch {
	case body == nil:
		return Datagram{}, false
	case transport != unix.IPPROTO_UDP:
		port, ok := o.refused(body)
		return Datagram{Refused: true, Port: port}, ok && port == o.port
	case len(body) < packet.UDPHeaderSize:
		return Datagram{}, false
	}
	d = Datagram{Own: from != o.peer, Port: binary.BigEndian.Uint16(body[2:])}
	// The length in the UDP header counts: an Ethernet frame may be padded.
	length := int(binary.BigEndian.Uint16(body[packet.UDPLengthAt:]))
	if d.Own {
		length = min(length, len(body)) // it was cut
	}
	if length < packet.UDPHeaderSize || length > len(body) || d.Own && d.Port != o.port {
		return Datagram{}, false
	}
	d.Payload = body[packet.UDPHeaderSize:length]
	return d, true
}

// split takes the IP header off; body is nil when the packet is cut or a
// fragment.
func (o overhearing) split(b []byte) (from netip.Addr, transport int, body []byte) {
	if o.peer.Is6() {
		if len(b) < packet.IPv6HeaderSize {
			return from, 0, nil
		}
		from, _ = netip.AddrFromSlice(b[packet.IPv6SourceAt : packet.IPv6SourceAt+16])
		return from, int(b[packet.IPv6NextHeaderAt]), b[packet.IPv6HeaderSize:]
	}
	if len(b) == 0 {
		return from, 0, nil
	}
	header := int(b[0]&0x0f) * 4
	if header < 20 || len(b) < header || binary.BigEndian.Uint16(b[packet.IPv4FragmentAt:])&0x3fff != 0 {
		return from, 0, nil
	}
	from, _ = netip.AddrFromSlice(b[packet.IPv4SourceAt : packet.IPv4SourceAt+4])
	return from, int(b[packet.IPv4ProtocolAt]), b[header:]
}

// refused reads an ICMP or ICMPv6 message that a port cannot be reached or is
// closed to us (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1), and returns the
// port of our datagram that it is about.
func (o overhearing) refused(icmp []byte) (port uint16, ok bool) {
	if len(icmp) < packet.ICMPHeaderSize {
		return 0, false
	}
	kind, code := icmp[0], icmp[1]
	switch {
	case o.peer.Is4() && kind == 3 && (code == 3 || code == 9 || code == 10 || code == 13):
	case o.peer.Is6() && kind == 1 && (code == 1 || code == 4 || code == 5 || code == 6):
	default:
		return 0, false
	}
	_, transport, datagram := o.split(icmp[packet.ICMPHeaderSize:])
	if transport != unix.IPPROTO_UDP || len(datagram) < packet.UDPHeaderSize {
		return 0, false
	}
	return binary.BigEndian.Uint16(datagram[2:]), true
}
