package bus

import "connsync/lab/rootless"

var _ = rootless.LeftOut("TestBusOfAnotherUser")
