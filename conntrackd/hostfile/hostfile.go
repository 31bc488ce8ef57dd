package hostfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/aymanbagabas/go-udiff"
	"golang.org/x/sys/unix"

	"connsync/trust"
)

// Replace makes content the content of a host's file, nil for no file. The
// write is atomic: a crash leaves the old file or the new one. Mode, owner,
// extended attributes and a symbolic link stay; of hard links, see [OtherNames]. Unless the file still is as
// read, nil for no file, it fails with a *[ChangedError]. After any error but
// [ErrNotDurable] the file is as before. The caller holds the lock of [LockWriter].
func Replace(path string, read, content []byte) error {
	return newFiles().put(path, read, content)
}

// Absolute makes paths absolute as [trust.Absolute] does.
func Absolute(paths ...*string) error {
	for _, path := range paths {
		absolute, err := trust.Absolute(*path)
		if err != nil && !filepath.IsAbs(*path) {
			if _, gone := os.Getwd(); gone != nil {
				return &CauseError{Cause: *path + " is below the current directory, which cannot be found any more", Remedy: "cd /", Err: gone}
			}
		}
		if err != nil {
			return Explain(*path, err)
		}
		*path = absolute
	}
	return nil
}

// OtherNames says what becomes of the other names of the file at path, its hard links,
// when [Replace] replaces it; blank where it has none.
func OtherNames(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink < 2 {
		return ""
	}
	return fmt.Sprintf("%s has %d names (hard links): this one gets the new content, any other keeps the old",
		path, info.Sys().(*syscall.Stat_t).Nlink)
}

// Publish makes content that of a file for other programs, which everybody may
// read where it is new and which keeps its permissions. The write is atomic,
// also when others publish it at the same time: a reader sees the old or the new file. It
// takes no lock, does not keep the owner and does not wait for the disk. It follows no
// link, neither on the way nor at the path itself, which is replaced: see
// [trust.Replaceable].
func Publish(path string, content []byte) error {
	dir, err := trust.DirectDirectory(trust.Directory(path))
	if err != nil {
		return Explain(path, err)
	}
	defer dir.Close()
	fsys := newFiles().within(dir)
	fsys.sync = func(*os.File) error { return nil }
	var old unix.Stat_t
	if unix.Fstatat(int(dir.Fd()), filepath.Base(path), &old, unix.AT_SYMLINK_NOFOLLOW) == nil && old.Mode&unix.S_IFMT == unix.S_IFREG {
		fsys.newMode = fs.FileMode(old.Mode).Perm()
	}
	temp := tempBeside(path)
	err = fsys.writeTemp(temp, path, nil, content)
	if err == nil {
		err = fsys.rename(temp, path)
	}
	if err != nil {
		_ = unix.Unlinkat(int(dir.Fd()), filepath.Base(temp), 0)
	}
	return Explain(path, err)
}

// within makes and renames files in a directory that is held open, whatever its name
// has come to stand for meanwhile.
func (fsys files) within(dir *os.File) files {
	fsys.create = func(path string, mode fs.FileMode) (*os.File, error) {
		fd, err := unix.Openat(int(dir.Fd()), filepath.Base(path), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode.Perm()))
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
	fsys.rename = func(from, to string) error {
		if err := unix.Renameat(int(dir.Fd()), filepath.Base(from), int(dir.Fd()), filepath.Base(to)); err != nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
		return nil
	}
	return fsys
}

// Diff is the change of a file, unified; nil stands for no file. It holds the
// file's own text: control characters are the reader's to strip.
func Diff(path string, old, now []byte) string {
	from, to := path, path
	if old == nil {
		from = os.DevNull
	}
	if now == nil {
		to = os.DevNull
	}
	return udiff.Unified(from, to, string(old), string(now))
}
