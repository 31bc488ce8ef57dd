package lab

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestBootHonoursItsContext",
	"TestCall",
	"TestConnectionsReplicateBothWays",
	"TestEnterGoesToTheRootOfTheFirstProcess",
	"TestFaults",
	"TestKilledLabLeavesNothing",
	"TestKilledLabTakesItsMachineAlong",
	"TestMTU",
	"TestMachineIsADebianWithTheStockService",
	"TestMachineKeepsFilesAndNetworkOverAReboot",
	"TestMachineLeavesNothing",
	"TestMachineTerminalAndFiles",
	"TestMachineWithAnotherInit",
	"TestNATKeepsItsTranslationAcrossAFailover",
	"TestNodeCloseEndsDaemons",
	"TestNodeCommandEndsWithItsContext",
	"TestNodeCommandPassesTheExitStatusOn",
	"TestNodeEnterOnTerminal",
	"TestNodeFilesAreItsOwn",
	"TestNodeIsAHostOfItsOwn",
	"TestNodeProcessesAndSignal",
	"TestNodeReapsOrphans",
	"TestNothingSurvivesWithoutSync",
	"TestPairCloseLetsGoOfEverything",
	"TestPairsDoNotCollide",
	"TestPlacesComeAndGo",
)
