package live

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestTheLinkOfAPairOfNamespaces",
)
