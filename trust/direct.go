package trust

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// DirectDirectory opens a directory to name files in it, and follows no link on the way:
// whoever owns a directory can put one there after [Replaceable] has looked.
func DirectDirectory(path string) (*os.File, error) {
	at := "."
	if filepath.IsAbs(path) {
		at = "/"
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open(at, flags, 0)
	for _, part := range strings.Split(path, "/") {
		if err != nil {
			break
		}
		if part == "" || part == "." {
			continue
		}
		above := fd
		fd, err = unix.Openat(above, part, flags, 0)
		_ = unix.Close(above)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open without following links", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
