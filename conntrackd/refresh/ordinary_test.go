package refresh

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestConnectionsInUseStayOnPeer",
	"TestSwitchMovesTheRefresh",
)
