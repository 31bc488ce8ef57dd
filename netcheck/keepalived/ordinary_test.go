package keepalived

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestAgreesAboutLinks",
	"TestAgreesWithKeepalived",
	"TestNotLoaded",
	"TestRefusal",
)
