package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// RemoveStale removes what a daemon that was killed has left at a path which a
// configuration names: a lock file or a socket, as [Usable] knows them. Anything else
// stays, and is that error; so is what stands in a directory where others could
// exchange it. What is not there is no error.
func RemoveStale(path string, use Use) error {
	dir, err := os.OpenFile(Directory(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		defer dir.Close()
		var stat unix.Stat_t
		err = unix.Fstatat(int(dir.Fd()), filepath.Base(path), &stat, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil {
			err = usable(path, &stat, use)
		}
	}
	if err == nil {
		err = Path(Directory(path))
	}
	if err == nil {
		err = unix.Unlinkat(int(dir.Fd()), filepath.Base(path), 0)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale %s: %w", path, err)
	}
	return nil
}
