package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"connsync/shell"
	"connsync/trust"
)

// Obstacle says what would keep [Replace] from changing the file at path, as far as that
// can be seen without writing; nil where nothing can.
func Obstacle(path string) error {
	target, err := trust.Target(path)
	if err != nil {
		return Explain(path, err)
	}
	switch info, err := os.Stat(target); {
	case err == nil && !info.Mode().IsRegular():
		return trust.NotRegularError(target)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Explain(target, err)
	}
	if mountRoot(target) {
		return Explain(target, unix.EBUSY)
	}
	return closed(target, filepath.Dir(target))
}

// DirectoryObstacle is [Obstacle] for connsync's own files in a directory that is made when
// missing.
func DirectoryObstacle(dir string) error {
	at := filepath.Clean(dir)
	for ; at != "/" && at != "."; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) { // a link, which mkdir(2) does not follow
		return Explain(dir, &fs.PathError{Op: "mkdir", Path: dir, Err: unix.EEXIST})
	}
	if err := trust.Owned(dir); err != nil {
		return err
	}
	return closed(dir, at)
}

// closed says why this process may not change the names in a directory for the file at
// path, nil where it may, and where the disk has room.
func closed(path, dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = unix.ENOTDIR
	}
	if err == nil {
		err = unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	}
	if cause, _ := flagged(path); err == nil && cause != "" {
		err = unix.EPERM
	}
	var stat unix.Statfs_t
	if err == nil && unix.Statfs(dir, &stat) == nil && (stat.Blocks > 0 && stat.Bfree == 0 || stat.Files > 0 && stat.Ffree == 0) {
		err = unix.ENOSPC
	}
	if errors.Is(err, unix.EACCES) && os.Geteuid() != 0 {
		return onlyRoot(dir, err)
	}
	if err != nil {
		return Explain(path, &fs.PathError{Op: "write", Path: path, Err: err})
	}
	return nil
}

// onlyRoot is the error of a change that takes root, and was tried by another user.
func onlyRoot(path string, err error) error {
	return &CauseError{Cause: "only root may write to " + path, Remedy: "run connsync as root", Err: err}
}

// inTheWay finds the part of a path that keeps it from being a file or directory.
func inTheWay(path string, errno error) (cause, remedy string) {
	const other = "give another path, or "
	if errors.Is(errno, unix.EISDIR) { // of a directory the path may end in a slash
		path = filepath.Clean(path)
	}
	at, parts := "", strings.Split(path, "/")
	for i, part := range parts {
		if at += part; len(part) > maxName {
			return fmt.Sprintf("a name in %s has %d bytes, and may have %d", existing(filepath.Dir(path)), len(part), maxName), "give a shorter one"
		}
		last := i == len(parts)-1
		info, err := os.Stat(at)
		target, linkErr := trust.Target(at)
		switch _, seen := os.Lstat(at); {
		case err == nil && info.IsDir() && errors.Is(errno, unix.EISDIR) && last:
			if names, err := os.ReadDir(at); err != nil || len(names) > 0 {
				return at + " is a directory and not a file", "give another path"
			}
			return at + " is a directory and not a file", other + shell.Line("rmdir", at)
		case part == "" || part == ".":
		case errors.Is(err, unix.ELOOP):
			return at + " is a symbolic link that leads back to itself", shell.Line("rm", at)
		case errors.Is(err, fs.ErrNotExist) && seen == nil && linkErr == nil && (!last || errors.Is(errno, unix.EEXIST)):
			return fmt.Sprintf("%s is a symbolic link to %s, which does not exist", at, target), shell.Line("mkdir", "-p", target)
		case errors.Is(err, fs.ErrNotExist) && !last:
			return "the directory " + trust.Directory(path) + " does not exist", shell.Line("mkdir", "-p", trust.Directory(path))
		case errors.Is(err, fs.ErrNotExist) && errors.Is(errno, unix.ENOENT):
			return "there is no " + path, shell.Line("ls", filepath.Dir(path))
		case err == nil && !info.IsDir() && (!last || errors.Is(errno, unix.ENOTDIR)):
			return at + " is not a directory", other + "move that file away" // a command could be that for /etc/passwd
		}
		at += "/"
	}
	return "", ""
}
