package keepalived

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestAgreesAboutLinks",
	"TestAgreesWithKeepalived",
	"TestFindBelievesNoProcessOfOthers",
	"TestNotLoaded",
	"TestRefusal",
)
