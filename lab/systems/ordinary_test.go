package main

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestStableDebians",
)
