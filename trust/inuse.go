package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"connsync/shell"
)

// Use is what a daemon of root's does with a path that its configuration names.
type Use string

// A lock file is made where nothing is; a killed daemon leaves it, empty. What stands
// at the path of a socket is removed, whatever it is. A log file is appended to.
const (
	Lock   Use = "an empty file of root that others cannot write"
	Socket Use = "a socket of root"
	Log    Use = "a regular file that root may append to"
)

// InUseError means that something else stands at a path that a daemon needs.
type InUseError struct {
	Path   string
	Use    Use
	Found  string // what stands there, such as "a directory"
	UID    int    // its owner
	Mode   uint32 // its permissions
	Remedy string // the command that removes it, blank for a device
}

// Error names the path, what stands there with its owner, and what to do.
func (e *InUseError) Error() string {
	text := fmt.Sprintf("%s is %s of user %s with mode %04o, and must be absent or %s", e.Path, e.Found, userName(e.UID), e.Mode, e.Use)
	if e.Remedy != "" {
		text += ": if nothing needs it, " + e.Remedy
	}
	return text
}

// Usable says whether a daemon of root's can use a path as it stands. It follows no
// link at its end. The error is an *[InUseError], or says why it could not be seen;
// what is not there is no error.
func Usable(path string, use Use) error {
	var stat unix.Stat_t
	switch err := unix.Lstat(path, &stat); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &fs.PathError{Op: "look at", Path: path, Err: err}
	}
	return usable(path, &stat, use)
}

func usable(path string, stat *unix.Stat_t, use Use) error {
	kind := stat.Mode & unix.S_IFMT
	ours := int(stat.Uid) == 0 || int(stat.Uid) == os.Geteuid()
	fits := false
	switch use {
	case Lock:
		fits = kind == unix.S_IFREG && stat.Size == 0 && ours && stat.Mode&0o022 == 0
	case Socket:
		fits = kind == unix.S_IFSOCK && ours
	case Log:
		// Where others can write, the kernel may refuse root a file of theirs
		// (fs.protected_regular), and they can exchange it.
		fits = kind == unix.S_IFREG && (ours || !othersWrite(Directory(path))) ||
			kind == unix.S_IFCHR && Masked(path)
	}
	if fits {
		return nil
	}
	e := &InUseError{Path: path, Use: use, Found: kindName(stat), UID: int(stat.Uid), Mode: stat.Mode & 0o7777, Remedy: shell.Line("rm", path)}
	switch kind {
	case unix.S_IFDIR:
		e.Remedy = shell.Line("rmdir", path)
	case unix.S_IFCHR, unix.S_IFBLK:
		e.Remedy = ""
	}
	return e
}

// othersWrite says whether others than its owner can make files in a directory.
func othersWrite(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&0o022 != 0
}

func kindName(stat *unix.Stat_t) string {
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if stat.Size > 0 {
			return fmt.Sprintf("a file of %d bytes", stat.Size)
		}
		return "an empty file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "a device"
}

// userName is the name of a user, or the number of one that has none.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}
