package emulator

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestConsoleWithoutDevicesInTmp",
	"TestEmulators",
)
