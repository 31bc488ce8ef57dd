package flows

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestKinds",
	"TestManyConnections",
)
