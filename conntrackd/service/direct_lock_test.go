package service

import (
	"os"
	"path/filepath"
	"testing"
)

// Only an empty regular file is taken for a lock file and removed.
func TestRemoveLock(t *testing.T) {
	for name, tt := range map[string]struct {
		put     func(path string) error
		removed bool
	}{
		"empty":     {func(path string) error { return os.WriteFile(path, nil, 0o600) }, true},
		"none":      {func(string) error { return nil }, true},
		"content":   {func(path string) error { return os.WriteFile(path, []byte("precious\n"), 0o600) }, false},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, false},
		"link":      {func(path string) error { return os.Symlink("/dev/null", path) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			if err := tt.put(path); err != nil {
				t.Fatal(err)
			}
			err := removeLock(path)
			if _, stat := os.Lstat(path); (err == nil) != tt.removed || (stat != nil) != tt.removed {
				t.Errorf("removing says %v; looking says %v", err, stat)
			}
		})
	}
}
