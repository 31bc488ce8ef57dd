package hostfile

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestExplain",
	"TestLockWriterLeavesOthersFiles",
	"TestOpenJournalOfSomebodyElse",
	"TestReplaceFaults",
	"TestReplaceKeepsEverythingButTheContent",
	"TestReplaceOnAFullDisk",
	"TestReplaceOnAReadOnlyFileSystem",
)
