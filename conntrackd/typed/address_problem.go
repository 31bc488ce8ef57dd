package typed

import (
	"fmt"
	"net/netip"
)

// AddressProblem says why p cannot be a node's address on a sync link; blank
// where it can. A prefix length that is not known, which is below zero, is a
// problem only where it is required.
func AddressProblem(p netip.Prefix, lengthRequired bool) string {
	a := p.Addr()
	if m := kindProblem(a, p.Bits()); m != "" {
		return m
	}
	switch {
	case p.Bits() < 0 && lengthRequired:
		return fmt.Sprintf("the prefix length of %s is not known; type it after a slash, such as %s/%d", a, a, usualBits(a))
	case p.Bits() < 0:
		return ""
	case p.Bits() == 0:
		return fmt.Sprintf("%s covers every address; type the prefix length of the sync subnet, such as %s/%d", p, a, usualBits(a))
	case a.Is4():
		return edgeProblem4(p)
	}
	return edgeProblem6(p)
}

// kindProblem names the addresses that no node can have on a sync link (RFC
// 1122 3.2.1.3, RFC 4291 2.5, RFC 1112 4).
func kindProblem(a netip.Addr, bits int) string {
	const want = "type an address of the sync link, such as 10.0.0.101/24"
	this4 := netip.MustParsePrefix("0.0.0.0/8")
	future4 := netip.MustParsePrefix("240.0.0.0/4")
	compatible6 := netip.MustParsePrefix("::/96")
	switch {
	case a.Is4In6():
		n := bits - 96
		if n < 1 || n > 32 {
			n = 24
		}
		return fmt.Sprintf("%s is an IPv4 address in IPv6 form; type it as an IPv4 one, such as %s/%d", a, a.Unmap(), n)
	case a.IsUnspecified():
		return fmt.Sprintf("%s is not an address of a host: conntrackd would listen everywhere; %s", a, want)
	case a.IsLoopback():
		return fmt.Sprintf("%s is a loopback address, which never leaves the host; %s", a, want)
	case a.IsMulticast():
		return fmt.Sprintf("%s is a multicast address; the sync is from one node to one node; %s", a, want)
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Sprintf("%s is the broadcast address of every link; %s", a, want)
	case this4.Contains(a):
		return fmt.Sprintf("%s is in 0.0.0.0/8, which no host can have; %s", a, want)
	case future4.Contains(a):
		return fmt.Sprintf("%s is in 240.0.0.0/4, which is reserved; %s", a, want)
	case compatible6.Contains(a):
		return fmt.Sprintf("%s is in ::/96, which is no longer used; type such as fd00::101/64", a)
	}
	return ""
}

func edgeProblem4(p netip.Prefix) string {
	if p.Bits() > 30 { // RFC 3021: both ends of a /31 are hosts
		return ""
	}
	network, broadcast := p.Masked().Addr(), lastAddr(p)
	switch p.Addr() {
	case network:
		return fmt.Sprintf("%s is the network address of its own subnet; type a host's address, from %s/%d to %s/%d",
			p, network.Next(), p.Bits(), broadcast.Prev(), p.Bits())
	case broadcast:
		return fmt.Sprintf("%s is the broadcast address of its own subnet; type a host's address, from %s/%d to %s/%d",
			p, network.Next(), p.Bits(), broadcast.Prev(), p.Bits())
	}
	return ""
}

func edgeProblem6(p netip.Prefix) string {
	if p.Bits() > 126 || p.Addr() != p.Masked().Addr() { // RFC 6164: both ends of a /127 are hosts
		return ""
	}
	return fmt.Sprintf("%s is the subnet-router anycast address of its own subnet; type a host's address, such as %s/%d",
		p, p.Addr().Next(), p.Bits())
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}
