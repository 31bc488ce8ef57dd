package cthelper

import "connsync/lab/rootless"

var _ = rootless.LeftOut("TestHelpers")
