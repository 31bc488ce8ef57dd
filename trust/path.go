package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Absolute is path from the root directory, without "." and "..", as the kernel reads
// it: ".." is the directory above the one that a link leads to, and not above the link.
// Links after the last ".." stay, and what comes after it need not exist.
func Absolute(path string) (string, error) {
	if !filepath.IsAbs(path) {
		dir, err := os.Getwd()
		if err != nil {
			return "", err
		}
		path = dir + "/" + path
	}
	parts := strings.Split(path, "/")
	after := len(parts)
	for after > 0 && parts[after-1] != ".." {
		after--
	}
	above, err := new(walk).resolve("/", strings.Join(parts[:after], "/"))
	if err != nil {
		return "", err
	}
	return filepath.Join(above, filepath.Join(parts[after:]...)), nil
}

// Target is the file that a path stands for, behind the links at its end; it need not
// exist. A path that ends in no link, and has no "..", stays as it is.
func Target(path string) (string, error) {
	_, err := os.Readlink(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EINVAL) { // none there, or no link
		return "", err
	}
	if err != nil && !slices.Contains(strings.Split(path, "/"), "..") {
		return path, nil
	}
	start := "."
	if filepath.IsAbs(path) {
		start = "/"
	}
	return new(walk).resolve(start, path)
}

// Directory is the directory that a path is in. Unlike [filepath.Dir] it leaves ".." to
// the kernel, since what is before it may be a link.
func Directory(path string) string {
	end := strings.LastIndex(path, "/")
	switch {
	case end < 0:
		return "."
	case strings.Trim(path[:end], "/") == "":
		return "/"
	}
	return path[:end]
}

// walk follows a path as the kernel does.
type walk struct {
	links int
	// may says whether a link in a directory may be followed to real; nil follows all.
	may func(dir, link, real string) error
}

// resolve follows path from the directory at, which no link leads to.
func (w *walk) resolve(at, path string) (string, error) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "" || part == "." {
			continue
		}
		dir := at
		info, err := os.Lstat(dir + "/" + part) // not joined: of a file there is no ".."
		at = filepath.Join(dir, part)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !slices.Contains(parts[i+1:], ".."):
			return filepath.Join(at, filepath.Join(parts[i+1:]...)), nil
		case err != nil:
			return "", err
		case info.Mode().Type() != fs.ModeSymlink:
			continue
		}
		if w.links++; w.links > 40 { // the kernel's own limit
			return "", &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
		}
		if at, err = w.follow(dir, at); err != nil {
			return "", err
		}
	}
	return at, nil
}

// follow returns what a link in a directory leads to.
func (w *walk) follow(dir, link string) (string, error) {
	target, err := os.Readlink(link)
	if err != nil {
		return "", err
	}
	start := dir
	if filepath.IsAbs(target) {
		start = "/"
	}
	real, err := w.resolve(start, target)
	if err == nil && w.may != nil {
		err = w.may(dir, link, real)
	}
	return real, err
}
