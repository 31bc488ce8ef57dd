package netcheck

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
)

const (
	ndTargetAt     = 8 // in the ICMPv6 message (RFC 4861, 4.3 and 4.4)
	ndSourceOption = 1 // source link-layer address
	ndTargetOption = 2 // target link-layer address
)

// nd asks for an IPv6 address.
func (q inquiry) nd() (wire, error) {
	request, to, err := neighbourSolicitation(q.link.HardwareAddr, q.source, q.addr)
	if err != nil {
		return wire{}, err
	}
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: packet.IPv6NextHeaderAt, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 3},
		bpf.LoadAbsolute{Off: packet.IPv6HeaderSize, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(ipv6.ICMPTypeNeighborAdvertisement), SkipTrue: 1},
		bpf.RetConstant{Val: 1500},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return wire{}, fmt.Errorf("assemble filter: %w", err)
	}
	return wire{
		protocol: unix.ETH_P_IPV6,
		filter:   filter,
		to:       to,
		request:  request,
		owner: func(b []byte, from net.HardwareAddr) (net.HardwareAddr, bool) {
			return ndOwner(b, from, q.addr)
		},
	}, nil
}

// neighbourSolicitation is the IPv6 packet of RFC 4861, 7.2.2, and the
// hardware address it goes to. From the unspecified source it is the one of
// RFC 4862, 5.4.2, without link-layer address option.
func neighbourSolicitation(own net.HardwareAddr, source, target netip.Addr) ([]byte, net.HardwareAddr, error) {
	t, group := target.As16(), packet.SolicitedNode(target)
	body := append(make([]byte, 4), t[:]...)
	if !source.IsUnspecified() {
		body = append(body, ndSourceOption, 1)
		body = append(body, own...)
	}
	message := icmp.Message{Type: ipv6.ICMPTypeNeighborSolicitation, Body: &icmp.RawBody{Data: body}}
	payload, err := message.Marshal(icmp.IPv6PseudoHeader(source.AsSlice(), group.AsSlice()))
	if err != nil {
		return nil, nil, fmt.Errorf("make neighbour solicitation: %w", err)
	}
	b := []byte{0x60, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, unix.IPPROTO_ICMPV6, packet.NDHopLimit)
	b = append(b, source.AsSlice()...)
	b = append(b, group.AsSlice()...)
	return append(b, payload...), net.HardwareAddr{0x33, 0x33, 0xff, t[13], t[14], t[15]}, nil
}

// ndOwner reads who claims target in a neighbour advertisement: its target
// link-layer address, else the sender of the frame.
func ndOwner(b []byte, from net.HardwareAddr, target netip.Addr) (net.HardwareAddr, bool) {
	if len(b) < packet.IPv6HeaderSize+packet.NDOptionsAt || b[packet.IPv6NextHeaderAt] != unix.IPPROTO_ICMPV6 || b[packet.IPv6HopLimitAt] != packet.NDHopLimit {
		return nil, false
	}
	message := b[packet.IPv6HeaderSize:]
	t := target.As16()
	if message[0] != byte(ipv6.ICMPTypeNeighborAdvertisement) || !slices.Equal(message[ndTargetAt:packet.NDOptionsAt], t[:]) {
		return nil, false
	}
	for o := message[packet.NDOptionsAt:]; len(o) >= 8; {
		size := int(o[1]) * 8
		if size == 0 || size > len(o) {
			break
		}
		if o[0] == ndTargetOption {
			return net.HardwareAddr(o[2:8]), true
		}
		o = o[size:]
	}
	return from, len(from) == 6
}
