package conntrackd

import (
	"os"
	"runtime/debug"
	"testing"
)

// The tests read files by the thousand and keep none: every fourth collection is enough.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
