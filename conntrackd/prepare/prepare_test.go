package prepare

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/hostfile"
)

// What becomes of another name is said of the files that a save changes, and of no other.
func TestNotesOfOtherNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rule")
	if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Link(path, path+".link")); err != nil {
		t.Fatal(err)
	}
	changes := []change{{kind: hostfile.ChangeFile, path: path}}
	p := Preparation{Items: []Item{{State: ItemMissing, changes: changes}, {State: ItemInPlace, changes: changes}}}
	if diff := cmp.Diff([]string{hostfile.OtherNames(path) + "."}, p.Notes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
