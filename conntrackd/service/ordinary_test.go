package service

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestDirectAfterAKill",
	"TestDirectForeignLock",
	"TestDirectLeavesAnotherNamespacesLockAlone",
	"TestDirectLifeCycle",
	"TestDirectStartFailures",
	"TestDirectStopEndsADumpToo",
	"TestDirectStopsAStoppedProcess",
	"TestDirectTellsADaemonOfAnotherNamespace",
	"TestDirectWithoutTheSocket",
	"TestDirectories",
	"TestInitScriptsOnDebian",
	"TestReadsFromItsRoot",
)
