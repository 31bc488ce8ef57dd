package uart

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestSerialLine",
)
