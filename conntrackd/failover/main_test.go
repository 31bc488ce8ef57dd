package failover

import (
	"os"
	"testing"

	"connsync/lab"
)

// The tests wait for daemons, and for as long as those may take.
func TestMain(m *testing.M) {
	lab.SideBySide(8)
	os.Exit(m.Run())
}
