package trust

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Link refuses a symbolic link that another user has put into a directory where
// others can write: it may lead to any file. What is no link is no error.
func Link(path string) error {
	link, err := os.Lstat(path)
	if err != nil || link.Mode().Type() != fs.ModeSymlink {
		return nil // opening it says what is wrong
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil
	}
	owner := int(link.Sys().(*syscall.Stat_t).Uid)
	if dir.Mode()&0o022 != 0 && owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%s is a symbolic link of user %d in a directory where others can write, and is not followed: remove it, or name the file itself", path, owner)
	}
	return nil
}
