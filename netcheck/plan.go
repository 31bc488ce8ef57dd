package netcheck

import (
	"net/netip"
	"slices"

	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/netcheck/group"
	"connsync/netcheck/ipsec"
	"connsync/netcheck/tc"
)

// Target is what a plan of checks is made for: the settings of this node, as
// far as they matter to the network.
type Target struct {
	// Flow is the sync itself: interface, addresses and port.
	firewall.Flow
	// FirstNode is the operator's statement that the peer is not set up yet, or is off: what
	// only the peer can answer, as the carrier of a straight cable, warns instead of blocking.
	FirstNode bool
	// Enabled says that the settings are those of a sync that is to run.
	Enabled bool `json:",omitempty"`
	// DaemonPIDs are the processes of this node's conntrackd, which may hold Port.
	DaemonPIDs []int
	// Virtual are the addresses that keepalived moves between the nodes.
	Virtual []netip.Addr `json:",omitempty"`
}

// The checks of [Plan], in its order.
const (
	CheckInterface        check.ID = "interface"
	CheckLinkUp           check.ID = "link-up"
	CheckCarrier          check.ID = "carrier"
	CheckDedicated        check.ID = "dedicated"
	CheckCurrentAssigned  check.ID = "current-ip-assigned"
	CheckPeerDistinct     check.ID = "peer-distinct"
	CheckSameSubnet       check.ID = "same-subnet"
	CheckRoute            check.ID = "route"
	CheckDuplicateAddress check.ID = "duplicate-address"
	CheckPeerLink         check.ID = "peer-link"
	CheckPeerPing         check.ID = "peer-ping"
	CheckPathMTU          check.ID = "path-mtu"
	CheckPortFree         check.ID = "port-free"
	CheckPeerPort         check.ID = "peer-port"
	CheckFirewall         check.ID = "firewall"
	CheckConntrack        check.ID = "conntrack"
)

// Plan returns the checks of a target. It asks nothing; [check.Run] does.
//
// Needs are laid so that one root cause fails once: what stands on it is
// skipped. What only a living peer can answer blocks the save, because a pair
// that cannot talk does not sync, unless this is the first node.
func Plan(t Target) []check.Check {
	ofPeer := check.Blocker
	if t.FirstNode {
		ofPeer = check.Warning
	}
	// An IPv6 address leaves a link that goes down, and stays tentative on one
	// without carrier; IPv4 does neither.
	addressNeeds := []check.ID{CheckInterface}
	if t.Family() == 6 {
		addressNeeds = []check.ID{CheckCarrier}
	}
	wayNeeds := []check.ID{CheckCarrier, CheckCurrentAssigned}
	if t.FirstNode { // they are asked without a carrier too, and say what that hides
		addressNeeds, wayNeeds = []check.ID{CheckInterface}, wayNeeds[1:]
	}
	return []check.Check{
		{ID: CheckInterface, Title: "Interface exists", Severity: check.Blocker, Run: runInterface(t)},
		{ID: CheckLinkUp, Title: "Interface is up", Severity: check.Blocker,
			Needs: []check.ID{CheckInterface}, Run: runLinkUp(t)},
		{ID: CheckCarrier, Title: "Interface has a carrier", Severity: ofPeer,
			Needs: []check.ID{CheckLinkUp}, Run: runCarrier(t)},
		{ID: CheckDedicated, Title: "Interface is dedicated to sync", Severity: check.Warning,
			Needs: []check.ID{CheckInterface}, Run: runDedicated(t)},
		{ID: CheckCurrentAssigned, Title: "Current IP is on the interface", Severity: check.Blocker,
			Needs: addressNeeds, Run: runCurrentAssigned(t)},
		{ID: CheckPeerDistinct, Title: "Peer IP is not a local address", Severity: check.Blocker, Run: runPeerDistinct(t)},
		{ID: CheckSameSubnet, Title: "Both addresses are in one subnet", Severity: check.Blocker,
			Needs: []check.ID{CheckPeerDistinct}, Run: runSameSubnet(t)},
		{ID: CheckRoute, Title: "Route to the peer", Severity: check.Blocker,
			Needs: append(slices.Clone(wayNeeds), CheckSameSubnet), Run: group.Source(t.Flow, runRoute(t))},
		{ID: CheckDuplicateAddress, Title: "No other host uses Current IP", Severity: check.Blocker,
			Needs: wayNeeds, Run: runDuplicateAddress(t)},
		// Frames go out on the interface whatever the route is, so a cut wire
		// shows beside a wrong route.
		{ID: CheckPeerLink, Title: "Peer is on the wire", Severity: ofPeer,
			Needs: []check.ID{CheckCarrier, CheckCurrentAssigned, CheckSameSubnet}, Run: runPeerLink(t)},
		// Replies go to whoever has Current IP, so these say nothing until it is known
		// whose it is.
		{ID: CheckPeerPing, Title: "Peer answers ping", Severity: ofPeer,
			Needs: []check.ID{CheckRoute, CheckPeerLink}, Beside: []check.ID{CheckDuplicateAddress}, Run: runPeerPing(t)},
		{ID: CheckPathMTU, Title: "Full-size packets reach the peer", Severity: ofPeer,
			Needs: []check.ID{CheckPeerPing}, Run: runPathMTU(t)},
		{ID: CheckPortFree, Title: "Port is free on this node", Severity: check.Blocker,
			Needs: []check.ID{CheckCurrentAssigned}, Run: runPortFree(t)},
		{ID: CheckPeerPort, Title: "Peer does not refuse the port", Severity: ofPeer,
			Needs: []check.ID{CheckRoute, CheckPeerLink}, Beside: []check.ID{CheckDuplicateAddress}, Run: runPeerPort(t)},
		{ID: CheckFirewall, Title: "Firewall lets sync through", Severity: check.Warning,
			Needs: []check.ID{CheckInterface}, Run: ipsec.Beside(t.Flow, tc.Beside(t.Flow, t.Flow.Check))},
		{ID: CheckConntrack, Title: "Kernel reports connections", Severity: check.Blocker, Run: runConntrack},
	}
}
