package trust

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestOwnedBehindALinkOfAnotherUser",
	"TestProgram",
	"TestRemoveStale",
	"TestRuns",
	"TestTemporaryDirectory",
	"TestUsable",
)
