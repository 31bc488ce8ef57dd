package failover

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestBackupEndsNoConnectionOfThePrimary",
	"TestBackupLetsGoLater",
	"TestFailoverAsksAgain",
	"TestFailoverOnAPair",
	"TestFailoverPurge",
	"TestFailoverSeesARefusedFlush",
	"TestFailoverWhilePeerIsDown",
)
