package main

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestFailureSaysWhy",
	"TestInterrupt",
	"TestOnTerminal",
	"TestWithoutTerminal",
)
