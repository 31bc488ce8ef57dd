package conntrackd

import "connsync/lab/rootless"

var _ = rootless.LeftOut()
