package node

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestFirewallAsksSystemctlNoLongerThanItsCaller",
	"TestFirewallCheckSaysNotAtBoot",
	"TestFirewallNotesWhatLoadsItAtBoot",
	"TestOwnFilesOfSomebodyElse",
)
