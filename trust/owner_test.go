package trust

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A link of another user's on the way to what is root's is not followed: it can lead elsewhere
// at any time.
func TestOwnedBehindALinkOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.MkdirAll(at("real/state"), 0o700), os.Symlink("real", at("link")), os.Symlink("real", at("his")), os.Symlink("his", at("through")), os.Lchown(at("his"), 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{"real/state": true, "link/state": true, "link/none": true, "his/state": false, "his": false, "through/state": false} {
		var other *OwnerError
		err := Owned(at(path))
		if ok && err != nil || !ok && (!errors.As(err, &other) || other.Path != at("his") || !strings.HasSuffix(err.Error(), "chown -h 0 "+at("his"))) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
