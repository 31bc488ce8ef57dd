package health

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestDaemonOlderThanItsFileIsNamed",
	"TestFlushOnThePeerIsNamed",
	"TestFullTableOnThePeerIsNamed",
	"TestHashLimitOnThePeerIsNamed",
	"TestHealthASecondAfterTheRestart",
	"TestHealthAfterARestart",
	"TestHealthCoverageScenarios",
	"TestHealthScenarios",
	"TestHealthUnderLoad",
	"TestIdlePairIsAskedOnce",
	"TestNATOfAnOldDaemonIsSeen",
	"TestPeerSaysWhatItHolds",
	"TestPeerWithoutEventsIsNotTold",
	"TestProve",
	"TestRefusedWriteIsNamed",
	"TestRestartedNodeThatStaysEmptyIsNamed",
)
