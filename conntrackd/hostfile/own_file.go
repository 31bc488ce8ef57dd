package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// ReadOwn reads a file that only root may have written, or the user whose it is; longer
// than limit is an error.
func ReadOwn(path string, limit int64) ([]byte, error) {
	if err := trust.Owned(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := trust.Owned(path); err != nil {
		return nil, err
	}
	return trust.ReadFile(path, limit)
}

// OpenOwn opens one of connsync's own files in dir for writing, with the flags of
// [os.OpenFile]: a lock, a note, a log. Both are made when missing. It follows no
// link, and what somebody else could have put there is an error and stays as it is.
func OpenOwn(dir, name string, flag int) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, Explain(dir, err)
	}
	if err := trust.Owned(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, flag|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, linkError(path)
	case errors.Is(err, unix.ENXIO): // a pipe that nobody reads, or a socket
		return nil, trust.NotRegularError(path)
	case err != nil:
		return nil, Explain(path, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = ours(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ownObstacle says what would keep [OpenOwn] from opening a file, as far as that can be
// seen without writing; nil where nothing can.
func ownObstacle(dir, name string) error {
	if err := DirectoryObstacle(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.IsDir():
		err = unix.EISDIR
	case err == nil && info.Mode().Type() == fs.ModeSymlink:
		return linkError(path)
	case err == nil:
		return ours(path, info)
	}
	return Explain(path, err)
}

func ours(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink != 1 {
		return fmt.Errorf("%s is not a regular file, or has a second name, and is not connsync's own file: remove it", path)
	}
	return trust.OwnedInfo(path, info)
}

func linkError(path string) error {
	return fmt.Errorf("%s is a symbolic link and not connsync's own file: remove it", path)
}
