package netcheck

import "net/netip"

// Target is what a plan of checks is made for: the settings of this node, as
// far as they matter to the network.
type Target struct {
	// Interface is the name of the sync interface.
	Interface string
	// Current is this node's address on Interface, Peer the other node's.
	// Bits() is -1 where the prefix length is not known.
	Current, Peer netip.Prefix
	// Port is the UDP port of both nodes.
	Port uint16
	// FirstNode is the operator's word that the peer is not there yet: what
	// only the peer can answer warns instead of blocking.
	FirstNode bool
	// DaemonPIDs are the processes of our own conntrackd, which may hold Port.
	DaemonPIDs []int
}

// family is 4 or 6, for texts and commands.
func (t Target) family() int {
	if t.Peer.Addr().Unmap().Is4() {
		return 4
	}
	return 6
}
