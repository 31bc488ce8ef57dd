package refresh_test

import (
	"os"
	"testing"

	"connsync/lab"
)

// The lifetimes of these tests are short, and entries end while other tests have the
// processors.
func TestMain(m *testing.M) {
	lab.GoFirst()
	os.Exit(m.Run())
}
