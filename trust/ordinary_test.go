package trust

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestProgram",
	"TestRemoveStale",
	"TestRuns",
	"TestTemporaryDirectory",
	"TestUsable",
)
