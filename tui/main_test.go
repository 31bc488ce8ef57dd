package tui

import (
	"os"
	"runtime/debug"
	"testing"

	"connsync/lab"
)

// The tests on lines wait for what a line carries; the others draw by the thousand and keep
// nothing, so every fourth collection is enough.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	lab.SideBySide(32)
	os.Exit(m.Run())
}
