package trust

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// NotRegularError says that the path is there and is not a regular file.
type NotRegularError string

// Error names the file.
func (path NotRegularError) Error() string { return string(path) + " is not a regular file" }

// TooLargeError says that a file has more bytes than its reader takes.
type TooLargeError struct {
	Path  string
	Limit int64
}

// Error names the file and the limit in bytes.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has more than %d bytes", e.Path, e.Limit)
}

// Open opens a regular file for reading. It waits for nothing and does not touch a
// device or a pipe that stands in the file's place: that is a [NotRegularError].
func Open(path string) (*os.File, error) {
	// A device is not even opened: some act on it.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, NotRegularError(path)
	}
	// Without O_NONBLOCK, opening a FIFO waits for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = NotRegularError(path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile returns the content of a regular file, not nil where it is empty. A file
// of more than limit bytes is a [TooLargeError], and the errors of [Open] are its
// own.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(content)) > limit:
		return nil, &TooLargeError{Path: path, Limit: limit}
	}
	return content, nil
}

// Masked says whether path stands for /dev/null, which is how an administrator
// leaves out a file of a package.
func Masked(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
