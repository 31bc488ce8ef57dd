package uart

import (
	"os"
	"testing"

	"connsync/lab"
)

// The line is paced here, by the real clock: where nobody has taken what the machine has
// sent, its program takes the line for dead.
func TestMain(m *testing.M) {
	lab.GoFirst()
	os.Exit(m.Run())
}
