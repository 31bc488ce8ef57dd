package firewall

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestAnswerEndsWithItsContext",
	"TestHelpers",
	"TestRunNftSaysThatItsTimeEnded",
	"TestTryFileAmongManyInterfaces",
)
