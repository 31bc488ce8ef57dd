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
// configuration names: a socket, or an empty regular file. Anything else stays, and
// is an error, as is what stands in a directory where others could exchange it. What
// is not there is no error.
func RemoveStale(path string) error {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		defer dir.Close()
		var stat unix.Stat_t
		err = unix.Fstatat(int(dir.Fd()), filepath.Base(path), &stat, unix.AT_SYMLINK_NOFOLLOW)
		kind := stat.Mode & unix.S_IFMT
		if err == nil && kind != unix.S_IFSOCK && (kind != unix.S_IFREG || stat.Size > 0) {
			return fmt.Errorf("%s is neither a socket nor a lock file, which is an empty regular file, and is not removed: correct its name in conntrackd.conf, or move it away", path)
		}
	}
	if err == nil {
		err = Path(filepath.Dir(path))
	}
	if err == nil {
		err = unix.Unlinkat(int(dir.Fd()), filepath.Base(path), 0)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale %s: %w", path, err)
	}
	return nil
}
