package console

import (
	"os"
	"testing"

	"connsync/lab"
)

// The tests wait for terminals.
func TestMain(m *testing.M) {
	lab.SideBySide(8)
	os.Exit(m.Run())
}
