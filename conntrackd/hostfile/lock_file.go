package hostfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// OpenLock opens a lock file in dir for reading and writing. Both are made when
// missing. It follows no link, and what somebody else could have put there is an
// error and stays as it is.
func OpenLock(dir, name string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := trust.Owned(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link and not connsync's lock file: remove it", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink != 1) {
		err = fmt.Errorf("%s is no regular file, or has a second name, and is not connsync's lock file: remove it", path)
	}
	if err == nil {
		err = trust.OwnedInfo(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
