package failover

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestBackupEndsNoConnectionOfThePrimary",
	"TestFailoverAsksAgain",
	"TestFailoverOnAPair",
	"TestFailoverPurge",
	"TestFailoverSeesARefusedFlush",
	"TestFailoverWhilePeerIsDown",
)
