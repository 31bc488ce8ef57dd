package service

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestDirectAfterAKill",
	"TestDirectForeignLock",
	"TestDirectLeavesAnotherNamespacesLockAlone",
	"TestDirectLifeCycle",
	"TestDirectStartFailures",
	"TestDirectStopsAStoppedProcess",
	"TestDirectWithoutTheSocket",
	"TestDirectories",
	"TestInitScriptsOnDebian",
)
