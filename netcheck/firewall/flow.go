package firewall

import (
	"fmt"
	"net/netip"

	"connsync/shell"
)

// Flow is the exchange of sync datagrams that rules are asked about: what comes
// from Peer to Port of Current, or of Group, on Interface, and what goes the other way.
type Flow struct {
	// Called is how the operator calls this program, for the commands that are named.
	Called shell.Program `json:"-"`
	// Interface is the name of the sync interface.
	Interface string
	// Current is this node's address on Interface, Peer the other node's.
	// Bits() is -1 where the prefix length is not known.
	Current, Peer netip.Prefix
	// Port is the UDP port of both nodes.
	Port uint16
	// Group is the multicast group to which both nodes send; not valid where each sends
	// to the other's address.
	Group netip.Addr `json:",omitzero"`
	// Spares are the other links of the daemon's file, to which it goes over when this
	// one fails. Spares of theirs do not count.
	Spares []Flow `json:",omitempty"`
}

// links are the flow and its spares, each by itself.
func (f Flow) links() []Flow {
	all := append([]Flow{f}, f.Spares...)
	for i := range all {
		all[i].Spares = nil
	}
	return all
}

// destination is where the datagrams go, in or out.
func (f Flow) destination(in bool) netip.Addr {
	switch {
	case f.Group.IsValid():
		return f.Group
	case in:
		return f.Current.Addr().Unmap().WithZone("")
	}
	return f.Peer.Addr().Unmap().WithZone("")
}

// Binds is the address at which conntrackd has the port: that of Current, or for a group
// every one.
func (f Flow) Binds() netip.Addr {
	current := f.Current.Addr().Unmap().WithZone("")
	switch {
	case !f.Group.IsValid():
		return current
	case current.Is4():
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// BindsWords is [Flow.Binds] in words.
func (f Flow) BindsWords() string {
	if f.Group.IsValid() {
		return "every address, as conntrackd binds it for a multicast group"
	}
	return f.Current.Addr().Unmap().String()
}

// Where is the port in words, with the group where there is one.
func (f Flow) Where() string {
	if f.Group.IsValid() {
		return fmt.Sprintf("UDP port %d of group %v", f.Port, f.Group)
	}
	return fmt.Sprintf("UDP port %d", f.Port)
}

// Family is 4 or 6, for texts and commands.
func (f Flow) Family() int {
	if f.Peer.Addr().Unmap().Is4() {
		return 4
	}
	return 6
}

// NftFamily is the name of the address family in nft rules.
func (f Flow) NftFamily() string {
	if f.Family() == 4 {
		return "ip"
	}
	return "ip6"
}
