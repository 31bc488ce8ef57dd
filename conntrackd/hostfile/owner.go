package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// UntrustedError means that somebody else could have written a file or directory
// of connsync's own, so that nothing it says may be believed.
type UntrustedError struct {
	Path   string
	UID    int
	Mode   fs.FileMode
	Remedy string // a command
}

// Error names the path, its owner and mode, and what to do.
func (e *UntrustedError) Error() string {
	owner := strconv.Itoa(e.UID)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	return fmt.Sprintf("%s belongs to user %s with mode %04o, so that somebody else can change it and it is not used: "+
		"look at what is in it, then %s", e.Path, owner, e.Mode.Perm(), e.Remedy)
}

// Trusted says whether only root and the effective user can change what stands
// at path, behind any link. The error is an *[UntrustedError]; what is not there or
// cannot be looked at is none, since reading it says so. In a directory whose sticky
// bit is set others cannot change what is ours.
func Trusted(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return trusted(path, info)
}

func trusted(path string, info fs.FileInfo) error {
	e := &UntrustedError{Path: path, UID: int(info.Sys().(*syscall.Stat_t).Uid), Mode: info.Mode()}
	switch {
	case !ownUser(e.UID):
		e.Remedy = fmt.Sprintf("chown %d %s", os.Geteuid(), path)
		return e
	case info.Mode()&0o022 != 0 && !(info.IsDir() && info.Mode()&fs.ModeSticky != 0):
		e.Remedy = "chmod go-w " + path
		return e
	}
	return nil
}

func ownUser(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// OpenLock opens a lock file in dir for reading and writing. Both are made when
// missing. It follows no link, and what somebody else could have put there is an
// error and stays as it is.
func OpenLock(dir, name string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := Trusted(dir); err != nil {
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
		err = trusted(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
