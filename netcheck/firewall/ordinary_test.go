package firewall

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestRunNftSaysThatItsTimeEnded",
	"TestTryFileAmongManyInterfaces",
)
