package netcheck

import "net/netip"

// Where the fields of a header stand, in bytes from its beginning, and how long
// headers are.
const (
	ipv4FragmentAt = 6 // RFC 791, 3.1
	ipv4ProtocolAt = 9
	ipv4SourceAt   = 12

	ipv6HeaderSize   = 40 // RFC 8200, 3
	ipv6NextHeaderAt = 6
	ipv6HopLimitAt   = 7
	ipv6SourceAt     = 8

	udpHeaderSize = 8 // RFC 768
	udpLengthAt   = 4

	icmpHeaderSize = 8 // RFC 792 and RFC 4443

	ndOptionsAt = 24  // in the ICMPv6 message (RFC 4861, 4.3 and 4.4)
	ndHopLimit  = 255 // of every packet of neighbour discovery (RFC 4861, 7.1)
)

// solicitedNode is the multicast address at which a node is asked for one of
// its addresses (RFC 4291, 2.7.1).
func solicitedNode(target netip.Addr) netip.Addr {
	t := target.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: t[13], 14: t[14], 15: t[15]})
}
