package netcheck

// Target is what a plan of checks is made for: the settings of this node, as
// far as they matter to the network.
type Target struct {
	// Flow is the sync itself: interface, addresses and port.
	Flow
	// FirstNode is the operator's word that the peer is not there yet: what
	// only the peer can answer warns instead of blocking.
	FirstNode bool
	// DaemonPIDs are the processes of our own conntrackd, which may hold Port.
	DaemonPIDs []int
}

// The checks of [Plan], in its order.
const (
	CheckInterface        ID = "interface"
	CheckLinkUp           ID = "link-up"
	CheckCarrier          ID = "carrier"
	CheckDedicated        ID = "dedicated"
	CheckCurrentAssigned  ID = "current-ip-assigned"
	CheckPeerDistinct     ID = "peer-distinct"
	CheckSameSubnet       ID = "same-subnet"
	CheckRoute            ID = "route"
	CheckDuplicateAddress ID = "duplicate-address"
	CheckPeerLink         ID = "peer-link"
	CheckPeerPing         ID = "peer-ping"
	CheckPathMTU          ID = "path-mtu"
	CheckPortFree         ID = "port-free"
	CheckPeerPort         ID = "peer-port"
	CheckFirewall         ID = "firewall"
	CheckConntrack        ID = "conntrack"
)

// Plan returns the checks of a target. It asks nothing; [Run] does.
//
// Needs are laid so that one root cause fails once: what stands on it is
// skipped. What only a living peer can answer blocks the save, because a pair
// that cannot talk does not sync, unless this is the first node.
func Plan(t Target) []Check {
	ofPeer := Blocker
	if t.FirstNode {
		ofPeer = Warning
	}
	// An IPv6 address leaves a link that goes down, and stays tentative on one
	// without carrier; IPv4 does neither.
	addressNeeds := []ID{CheckInterface}
	if t.family() == 6 {
		addressNeeds = []ID{CheckCarrier}
	}
	return []Check{
		{ID: CheckInterface, Title: "Interface exists", Severity: Blocker, Run: runInterface(t)},
		{ID: CheckLinkUp, Title: "Interface is up", Severity: Blocker,
			Needs: []ID{CheckInterface}, Run: runLinkUp(t)},
		{ID: CheckCarrier, Title: "Interface has a carrier", Severity: Blocker,
			Needs: []ID{CheckLinkUp}, Run: runCarrier(t)},
		{ID: CheckDedicated, Title: "Interface is dedicated to sync", Severity: Warning,
			Needs: []ID{CheckInterface}, Run: runDedicated(t)},
		{ID: CheckCurrentAssigned, Title: "Current IP is on the interface", Severity: Blocker,
			Needs: addressNeeds, Run: runCurrentAssigned(t)},
		{ID: CheckPeerDistinct, Title: "Peer IP is another node's", Severity: Blocker, Run: runPeerDistinct(t)},
		{ID: CheckSameSubnet, Title: "Both addresses are in one subnet", Severity: Blocker,
			Needs: []ID{CheckPeerDistinct}, Run: runSameSubnet(t)},
		{ID: CheckRoute, Title: "Route to the peer", Severity: Blocker,
			Needs: []ID{CheckCarrier, CheckCurrentAssigned, CheckSameSubnet}, Run: runRoute(t)},
		{ID: CheckDuplicateAddress, Title: "Current IP is no other host's", Severity: Blocker,
			Needs: []ID{CheckCarrier, CheckCurrentAssigned}, Run: runDuplicateAddress(t)},
		// Frames go out on the interface whatever the route is, so a cut wire
		// shows beside a wrong route.
		{ID: CheckPeerLink, Title: "Peer is on the wire", Severity: ofPeer,
			Needs: []ID{CheckCarrier, CheckCurrentAssigned, CheckSameSubnet}, Run: runPeerLink(t)},
		// Replies go to whoever has Current IP, so these need to know whose it is.
		{ID: CheckPeerPing, Title: "Peer answers ping", Severity: ofPeer,
			Needs: []ID{CheckRoute, CheckPeerLink, CheckDuplicateAddress}, Run: runPeerPing(t)},
		{ID: CheckPathMTU, Title: "Full-size packets reach the peer", Severity: ofPeer,
			Needs: []ID{CheckPeerPing}, Run: runPathMTU(t)},
		{ID: CheckPortFree, Title: "Port is free on this node", Severity: Blocker,
			Needs: []ID{CheckCurrentAssigned}, Run: runPortFree(t)},
		{ID: CheckPeerPort, Title: "Peer does not refuse the port", Severity: ofPeer,
			Needs: []ID{CheckRoute, CheckPeerLink, CheckDuplicateAddress}, Run: runPeerPort(t)},
		{ID: CheckFirewall, Title: "Firewall lets sync through", Severity: Warning,
			Needs: []ID{CheckInterface}, Run: t.Flow.Check},
		{ID: CheckConntrack, Title: "Kernel reports connections", Severity: Blocker, Run: runConntrack},
	}
}
