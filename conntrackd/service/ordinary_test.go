package service

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestDirectAfterAKill",
	"TestDirectForeignLock",
	"TestDirectLeavesAnotherNamespacesLockAlone",
	"TestDirectLeavesNoLockToADaemonThatIsNotRead",
	"TestDirectLifeCycle",
	"TestDirectStartFailures",
	"TestDirectStopEndsADumpToo",
	"TestDirectStopsAStoppedProcess",
	"TestDirectTellsADaemonOfAnotherNamespace",
	"TestDirectWithoutTheSocket",
	"TestDirectories",
	"TestInitScriptsOnDebian",
	"TestProcessesOfOthersAreNotBelieved",
	"TestReadsFromItsRoot",
	"TestScriptNamesTheOtherDaemonOfItsNetwork",
	"TestSystemdOnDebian",
)
