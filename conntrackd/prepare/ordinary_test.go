package prepare

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestKeepsLock",
	"TestUndoBringsBackTheFile",
	"TestUndoLeavesChangesOfOthers",
	"TestUndoRecordsOfFirstVersion",
)
