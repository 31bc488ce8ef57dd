package hostfile

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestExplain",
	"TestJournalRollBackOfAnImmutableFile",
	"TestLockWriterLeavesOthersFiles",
	"TestOpenJournalOfSomebodyElse",
	"TestReplaceFaults",
	"TestReplaceKeepsEverythingButTheContent",
	"TestReplaceOnAFullDisk",
	"TestReplaceOnAReadOnlyFileSystem",
)
