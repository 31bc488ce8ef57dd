package packaging

import "connsync/lab/rootless"

// Those that build the packages need no root, but more time than all the others together.
var _ = rootless.LeftOut(
	"TestAlertsFireOnTheirFaults",
	"TestDeb",
	"TestDebLeavesALivePairInSync",
	"TestDebOnADebian",
	"TestExamplesAreAccepted",
	"TestFirstBootGoesOnUnanswered",
	"TestFirstBootSetsUpAPair",
	"TestFirstBootWithoutSystemd",
	"TestInstalledDocumentationIsWhole",
	"TestLintianHasNothingToSay",
	"TestMetricsTimerOnADebian",
	"TestProgramIsPositionIndependent",
	"TestProgramKeepsNoTemplates",
	"TestQuickstart",
	"TestRPM",
	"TestRPMInstallsAndErases",
	"TestRemovalStopsTheRefreshWithoutSystemd",
	"TestTwoBuildsAreIdentical",
)
