package health

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestCommittedIsHeld",
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
	"TestOutageIsNotReported",
	"TestPeerSaysWhatItHolds",
	"TestPeerWithoutEventsIsNotTold",
	"TestProve",
	"TestRefusedAndEndedIsNotMissing",
	"TestRefusedWriteIsNamed",
	"TestRestartedNodeThatStaysEmptyIsNamed",
	"TestSentBackIsNotThePeers",
	"TestZoneOfAnOldDaemonIsSeen",
)
