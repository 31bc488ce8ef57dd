package netcheck

import (
	"fmt"
	"net/netip"
)

// PairProblem is one reason why two addresses cannot, or should not, be the
// two ends of a sync link.
type PairProblem struct {
	Peer    bool   // it is the peer's address that is to be changed, else the current one
	Warning bool   // it may work, and is not what one would set up
	Message string // a sentence that names the addresses
}

// SameSubnet says what is wrong with current and peer as the addresses of two
// nodes on one link. Without either address there is no pair and no problem.
// Bits() of peer may be -1, which means the same prefix length as current.
// IPv4-mapped IPv6 addresses count as IPv4.
//
// Both addresses of a /31 or /127 are usable (RFC 3021, RFC 6164). A /32 or
// /128 has no subnet: only the route can tell, and that is a warning. The
// kernel routes to a network address as to any other, so nothing but this
// notices one.
func SameSubnet(current, peer netip.Prefix) []PairProblem {
	current, peer = unmapPrefix(current), unmapPrefix(peer)
	c, p := current.Addr(), peer.Addr()
	if !c.IsValid() || !p.IsValid() {
		return nil
	}
	if problems := addressProblems(current, peer); len(problems) > 0 {
		return problems
	}
	switch {
	case c.Is4() != p.Is4():
		return []PairProblem{{Peer: true, Message: fmt.Sprintf("%v and Current IP %v are of different families; both must be IPv4 or both IPv6", p, c)}}
	case c == p:
		return []PairProblem{{Peer: true, Message: fmt.Sprintf("%v is Current IP itself; the peer has another address", p)}}
	case current.Bits() < 0:
		return []PairProblem{{Message: fmt.Sprintf("the prefix length of %v is not known; write it as %v/%d", c, c, usualBits(c))}}
	}
	problems := viewFromCurrent(current, p)
	if len(problems) > 0 && !problems[0].Warning {
		return problems
	}
	if peer.Bits() >= 0 && peer.Bits() != current.Bits() {
		problems = append(problems, viewFromPeer(current, peer)...)
	}
	return problems
}

// addressProblems holds the rules that each address has to meet by itself.
func addressProblems(current, peer netip.Prefix) []PairProblem {
	var out []PairProblem
	for _, end := range []struct {
		prefix netip.Prefix
		peer   bool
	}{{current, false}, {peer, true}} {
		if reason := unusable(end.prefix.Addr()); reason != "" {
			out = append(out, PairProblem{Peer: end.peer, Message: fmt.Sprintf("%v is %s", end.prefix.Addr(), reason)})
		} else if end.prefix.Bits() == 0 {
			out = append(out, PairProblem{Peer: end.peer, Message: fmt.Sprintf("the prefix length of %v cannot be 0", end.prefix.Addr())})
		}
	}
	return out
}

// unusable says why addr can be no node's address, or "".
func unusable(addr netip.Addr) string {
	switch {
	case addr.IsUnspecified():
		return "the unspecified address, not a node's"
	case addr.IsLoopback():
		return "a loopback address, which no other node can reach"
	case addr.IsMulticast():
		return "a multicast address, not a node's"
	}
	if addr.Is4() {
		switch first := addr.As4()[0]; {
		case first == 0:
			return "in 0.0.0.0/8, which is not for hosts (RFC 1122)"
		case first >= 240:
			return "in 240.0.0.0/4, which is reserved (RFC 1112)"
		}
	}
	return ""
}

// viewFromCurrent asks this node's subnet about both addresses.
func viewFromCurrent(current netip.Prefix, peer netip.Addr) []PairProblem {
	c, subnet := current.Addr(), current.Masked()
	if current.IsSingleIP() {
		return []PairProblem{{Warning: true, Message: fmt.Sprintf("a /%d has no subnet; whether %v is on the link depends on the route", current.Bits(), peer)}}
	}
	var out []PairProblem
	if role := reserved(subnet, c); role != "" {
		out = append(out, PairProblem{Message: fmt.Sprintf("%v is the %s of %v, not a node's address", c, role, subnet)})
	}
	if !subnet.Contains(peer) {
		out = append(out, PairProblem{Peer: true, Message: fmt.Sprintf("%v is not in %v, the subnet of Current IP", peer, subnet)})
	} else if role := reserved(subnet, peer); role != "" {
		out = append(out, PairProblem{Peer: true, Message: fmt.Sprintf("%v is the %s of %v, not a node's address", peer, role, subnet)})
	}
	return out
}

// viewFromPeer asks the peer's subnet, of another length, about both.
func viewFromPeer(current, peer netip.Prefix) []PairProblem {
	c, p, subnet := current.Addr(), peer.Addr(), peer.Masked()
	fault := func(format string, args ...any) []PairProblem {
		return []PairProblem{{Peer: true, Message: fmt.Sprintf(format, args...)}}
	}
	switch {
	case peer.IsSingleIP():
		return []PairProblem{{Peer: true, Warning: true, Message: fmt.Sprintf(
			"a /%d has no subnet; whether the peer can answer %v depends on its route", peer.Bits(), c)}}
	case !subnet.Contains(c):
		return fault("%v does not contain Current IP %v, so the peer could not answer", subnet, c)
	case reserved(subnet, p) != "":
		return fault("%v is the %s of %v, not a node's address", p, reserved(subnet, p), subnet)
	case reserved(subnet, c) != "":
		return fault("in the peer's %v, Current IP %v is the %s", subnet, c, reserved(subnet, c))
	}
	return []PairProblem{{Peer: true, Warning: true, Message: fmt.Sprintf(
		"the peer has prefix length %d, this node %d; both should have the same", peer.Bits(), current.Bits())}}
}

// reserved names the part that addr plays in subnet and that no node can: the
// network and broadcast address of IPv4 subnets up to /30, the subnet-router
// anycast address (RFC 4291, 2.6.1) of IPv6 subnets up to /126. Else "".
func reserved(subnet netip.Prefix, addr netip.Addr) string {
	if subnet.Addr().BitLen()-subnet.Bits() < 2 || !subnet.Contains(addr) {
		return ""
	}
	switch {
	case addr == subnet.Masked().Addr() && addr.Is4():
		return "network address"
	case addr == subnet.Masked().Addr():
		return "subnet-router anycast address"
	case addr.Is4() && !subnet.Contains(addr.Next()):
		return "broadcast address"
	}
	return ""
}

// OtherEnd returns the one address that the other node of a point-to-point
// link can have: the other end of a /30, /31, /126 or /127. In a /126 the
// fourth address is left out. ok is false for every other prefix, and where
// the given address is itself not a node's.
func OtherEnd(prefix netip.Prefix) (addr netip.Addr, ok bool) {
	prefix = unmapPrefix(prefix)
	if !prefix.IsValid() || unusable(prefix.Addr()) != "" {
		return netip.Addr{}, false
	}
	first := prefix.Masked().Addr()
	low, high := first, first.Next()
	switch prefix.Addr().BitLen() - prefix.Bits() {
	case 1:
	case 2:
		low, high = first.Next(), first.Next().Next()
	default:
		return netip.Addr{}, false
	}
	switch prefix.Addr() {
	case low:
		addr = high
	case high:
		addr = low
	default:
		return netip.Addr{}, false
	}
	return addr, unusable(addr) == ""
}

// unmapPrefix makes an IPv4 prefix of an IPv4-mapped one. The prefix keeps
// Bits() -1 where the length is not known, and gets length 0 where it reaches
// beyond the mapped range.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if !p.Addr().Is4In6() {
		return p
	}
	bits := p.Bits()
	if bits >= 0 {
		bits = max(bits-96, 0)
	}
	return netip.PrefixFrom(p.Addr().Unmap(), bits)
}

// usualBits is a prefix length to give as an example.
func usualBits(addr netip.Addr) int {
	if addr.Is4() {
		return 24
	}
	return 64
}
