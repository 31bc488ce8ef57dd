package failover

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestFailoverAsksAgain",
	"TestFailoverOnAPair",
	"TestFailoverPurge",
	"TestFailoverSeesARefusedFlush",
	"TestFailoverWhilePeerIsDown",
)
