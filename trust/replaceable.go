package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Replaceable is the file that is meant by path, behind any links; it need not exist.
// A link anywhere on the way that another user owns, or could exchange, is not
// followed, unless it leads to what is his own.
func Replaceable(path string) (string, error) {
	start, links := ".", 0
	if filepath.IsAbs(path) {
		start = "/"
	}
	real, err := resolve(start, path, &links)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(real)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(path, "/"):
		return path, nil // creating it says that this is no directory
	case errors.Is(err, fs.ErrNotExist):
		if there, err := os.Stat(path); err == nil && !there.Mode().IsRegular() { // a pipe behind /proc/self/fd
			return "", unprintable(path)
		}
		return real, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", unprintable(path)
	}
	return real, nil
}

func unprintable(path string) error {
	return fmt.Errorf("%w; without --output it is printed", NotRegularError(path))
}

// resolve follows path from the directory at, which no link leads to.
func resolve(at, path string, links *int) (string, error) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "" || part == "." {
			continue
		}
		dir := at
		at = filepath.Join(dir, part)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return filepath.Join(at, filepath.Join(parts[i+1:]...)), nil
		case err != nil:
			return "", err
		case info.Mode().Type() != fs.ModeSymlink:
			continue
		}
		if *links++; *links > 40 { // the kernel's own limit
			return "", &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
		}
		if at, err = follow(dir, at, info, links); err != nil {
			return "", err
		}
	}
	return at, nil
}

// follow returns what a link in a directory leads to.
func follow(dir, link string, info fs.FileInfo, links *int) (string, error) {
	target, err := os.Readlink(link)
	if err != nil {
		return "", err
	}
	within, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	start := dir
	if filepath.IsAbs(target) {
		start = "/"
	}
	real, err := resolve(start, target, links)
	if err != nil {
		return "", err
	}
	for _, owner := range []int{ownerOf(info), ownerOf(within)} {
		if owner == 0 || owner == os.Geteuid() {
			continue
		}
		if led, err := os.Lstat(real); err != nil || ownerOf(led) != owner {
			return "", fmt.Errorf("%s is a symbolic link that user %d can change, and is not followed: remove it, or name the file itself", link, owner)
		}
	}
	return real, nil
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
