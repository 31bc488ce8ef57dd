package prepare

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The unit of the packages is the one that a save would write.
func TestPackagedRefreshUnit(t *testing.T) {
	packaged, err := os.ReadFile("../../packaging/systemd/connsync-refresh.service")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(refreshUnitText, unitWords(packagedProgram, "refresh", "--every", "auto"))
	if diff := cmp.Diff(want, string(packaged)); diff != "" {
		t.Errorf("packaging/systemd/connsync-refresh.service (-want +got):\n%s", diff)
	}
}
