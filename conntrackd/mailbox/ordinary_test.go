package mailbox

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestReportsCrossTheSyncLink",
)
