package nft

import "connsync/lab/rootless"

var _ = rootless.LeftOut("TestAnswerEndsWithItsContext")
