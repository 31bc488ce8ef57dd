package packet

import "net/netip"

// Where the fields of a header stand, in bytes from its beginning, and how long
// headers are.
const (
	IPv4FragmentAt = 6 // RFC 791, 3.1
	IPv4ProtocolAt = 9
	IPv4SourceAt   = 12

	IPv6HeaderSize   = 40 // RFC 8200, 3
	IPv6NextHeaderAt = 6
	IPv6HopLimitAt   = 7
	IPv6SourceAt     = 8

	UDPHeaderSize = 8 // RFC 768
	UDPLengthAt   = 4

	ICMPHeaderSize = 8 // RFC 792 and RFC 4443

	ARPSize        = 28 // RFC 826 with addresses of 6 and 4 bytes
	ARPOperationAt = 6
	ARPSourceAt    = 14 // the IPv4 address of who sends it
	ARPTargetAt    = 24
	ARPRequest     = 1
	ARPReply       = 2

	NDOptionsAt = 24  // in the ICMPv6 message (RFC 4861, 4.3 and 4.4)
	NDHopLimit  = 255 // of every packet of neighbour discovery (RFC 4861, 7.1)
)

// SolicitedNode is the multicast address at which a node is asked for one of
// its addresses (RFC 4291, 2.7.1).
func SolicitedNode(target netip.Addr) netip.Addr {
	t := target.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: t[13], 14: t[14], 15: t[15]})
}

// HardwareGroup is the hardware address of a multicast group, in its first six bytes
// (RFC 1112 6.4, RFC 2464 7).
func HardwareGroup(group netip.Addr) [8]byte {
	b := group.AsSlice()
	if group.Is4() {
		return [8]byte{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	return [8]byte{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// UsualGroup is the multicast group of conntrackd's own examples.
func UsualGroup() netip.Addr { return netip.AddrFrom4([4]byte{225, 0, 0, 50}) }
