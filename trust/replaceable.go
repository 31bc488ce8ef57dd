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
	start := "."
	if filepath.IsAbs(path) {
		start = "/"
	}
	real, err := (&walk{may: ownLink}).resolve(start, path)
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

// ownLink says whether a link may be followed: one that another user owns, or could
// exchange, only to what is his own.
func ownLink(dir, link, real string) error {
	info, err := os.Lstat(link)
	if err != nil {
		return err
	}
	within, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	for _, owner := range []int{ownerOf(info), ownerOf(within)} {
		if owner == 0 || owner == os.Geteuid() {
			continue
		}
		if led, err := os.Lstat(real); err != nil || ownerOf(led) != owner {
			return fmt.Errorf("%s is a symbolic link that user %d can change, and is not followed: remove it, or name the file itself", link, owner)
		}
	}
	return nil
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
