package candidates

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestConnections",
)
