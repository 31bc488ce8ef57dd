package health

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestConnectionsThatReachThePeerAreHeldThere",
	"TestDaemonOlderThanItsFileIsNamed",
	"TestFilteredReportIsNotTold",
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
	"TestZoneOfAnOldDaemonIsSeen",
)
