package text

import (
	"net/netip"
	"slices"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/check"
)

// Mend is what connsync can do itself about what a check found.
type Mend struct {
	Says string // in the words of a choice
	// Settings are those to check and save instead; unset where With is not.
	Settings conntrackd.Settings
	// With names what the next save does; blank where other settings are the cure.
	With check.Mend
}

// MendOf returns what connsync can do about a result of the checks of s, false where
// that is nothing. interfaces are those of this host.
func MendOf(r check.Result, s conntrackd.Settings, interfaces []netcheck.Interface) (Mend, bool) {
	switch {
	case r.Status != check.Failed:
	case r.Mend == check.MendHost:
		return Mend{Says: "The save fixes this on the host.", With: r.Mend}, true
	case r.Mend == check.MendFirewall:
		return Mend{Says: "Add connsync's firewall rules with the save.", With: r.Mend}, true
	case r.ID == netcheck.CheckCurrentAssigned, r.ID == netcheck.CheckPeerDistinct, r.ID == netcheck.CheckInterface:
		return mendAddress(s, interfaces)
	}
	return Mend{}, false
}

// mendAddress finds what Current IP is meant to be, false where it is that already.
func mendAddress(s conntrackd.Settings, interfaces []netcheck.Interface) (Mend, bool) {
	current, peer := s.Current.Addr().Unmap(), s.Peer.Addr().Unmap()
	if i, ok := holding(interfaces, current, s.Interface); ok {
		own, bits := prefixOn(i, current), s.Current.Bits()
		switch {
		case i.Name != s.Interface:
			s.Interface, s.Current = i.Name, own
			return Mend{Says: "Use Interface Name " + Clean(i.Name) + ", which has " + current.String() + ".", Settings: s}, true
		case bits >= 0 && bits != own.Bits():
			s.Current = own
			return Mend{Says: "Use Current IP " + own.String() + ", as it is on " + Clean(i.Name) + ".", Settings: s}, true
		}
		return Mend{}, false
	}
	if i, ok := holding(interfaces, peer, s.Interface); ok {
		own := prefixOn(i, peer)
		s.Interface, s.Current, s.Peer = i.Name, own, netip.PrefixFrom(current, own.Bits())
		return Mend{Says: "Swap: Current IP " + own.String() + ", Peer IP " + s.Peer.String() + ".", Settings: s}, true
	}
	at := slices.IndexFunc(interfaces, func(i netcheck.Interface) bool { return i.Name == s.Interface })
	if at < 0 {
		return Mend{}, false
	}
	own, ok := likely(OwnAddresses(interfaces[at]), s)
	if !ok {
		return Mend{}, false
	}
	s.Current = own
	return Mend{Says: "Use Current IP " + own.String() + ", the address of " + Clean(s.Interface) + ".", Settings: s}, true
}

// likely is the one own address that the settings can mean: of several the one that
// shares a subnet with the peer.
func likely(own []netip.Prefix, s conntrackd.Settings) (netip.Prefix, bool) {
	peer := s.Peer.Addr().Unmap()
	own = slices.DeleteFunc(own, func(p netip.Prefix) bool { return p.Addr().Is4() != peer.Is4() || p.Addr() == peer })
	if len(own) == 1 {
		return own[0], true
	}
	near := slices.DeleteFunc(own, func(p netip.Prefix) bool { return !p.Contains(peer) })
	if len(near) == 1 {
		return near[0], true
	}
	return netip.Prefix{}, false
}

// holding is an interface with the address: the one called first, if that has it.
func holding(interfaces []netcheck.Interface, a netip.Addr, first string) (netcheck.Interface, bool) {
	var found netcheck.Interface
	for _, i := range interfaces {
		if a.IsValid() && i.Has(a) && (found.Name == "" || i.Name == first) {
			found = i
		}
	}
	return found, found.Name != ""
}

func prefixOn(i netcheck.Interface, a netip.Addr) netip.Prefix {
	for _, p := range i.Addresses {
		if p.Addr() == a {
			return p
		}
	}
	return netip.PrefixFrom(a, -1)
}
