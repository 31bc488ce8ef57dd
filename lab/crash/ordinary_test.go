package main

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestCrash",
	"TestListNamesFilesAlone",
)
