package firewall

import "net/netip"

// Flow is the exchange of sync datagrams that rules are asked about: what comes
// from Peer to Port of Current on Interface, and what goes the other way.
type Flow struct {
	// Interface is the name of the sync interface.
	Interface string
	// Current is this node's address on Interface, Peer the other node's.
	// Bits() is -1 where the prefix length is not known.
	Current, Peer netip.Prefix
	// Port is the UDP port of both nodes.
	Port uint16
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
