package trial

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestDryStart",
	"TestTrialsLeaveNothingToAKill",
)
