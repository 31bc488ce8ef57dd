package main

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestFailureSaysWhy",
	"TestLinksAreCut",
	"TestMasquerade",
	"TestMixedPromise",
	"TestPromise",
	"TestRandomFaults",
)
