// Package mailbox carries numbers from one node to the other through conntrackd
// itself. A [Report] is one marked conntrack entry between documentation addresses,
// which no packet has: [Box.Leave] puts it into this kernel, the daemons replicate it,
// and [Box.Peer] finds the peer's.
package mailbox
