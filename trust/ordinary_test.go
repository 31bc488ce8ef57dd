package trust

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestRemoveStale",
	"TestUsable",
)
