package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"connsync/shell"
)

// OwnerError means that somebody else than root and the effective user could have
// written a file or directory.
type OwnerError struct {
	Path   string
	UID    int
	Mode   fs.FileMode
	Remedy string // a command
}

// Error names the path, its owner and mode, and what to do.
func (e *OwnerError) Error() string {
	return fmt.Sprintf("%s belongs to user %s with mode %04o, so that somebody else can change it and it is not used: "+
		"look at what is in it, then %s", e.Path, userName(e.UID), e.Mode.Perm(), e.Remedy)
}

// Owned says whether only root and the effective user can change what stands
// at path, and where the links on the way to it lead. The error is an *[OwnerError]; what is
// not there or cannot be looked at is none, since reading it says so. In a directory whose
// sticky bit is set others cannot change what is ours.
func Owned(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	var other *OwnerError
	start := "."
	if filepath.IsAbs(path) {
		start = "/"
	}
	if _, err := (&walk{may: linkOwned}).resolve(start, path); errors.As(err, &other) {
		return other
	}
	return OwnedInfo(path, info)
}

// linkOwned refuses a link of another user's, which that user can have lead elsewhere.
func linkOwned(_, link, _ string) error {
	info, err := os.Lstat(link)
	if err != nil {
		return err
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if uid == 0 || uid == os.Geteuid() {
		return nil
	}
	return &OwnerError{Path: link, UID: uid, Mode: info.Mode(), Remedy: shell.Line("chown", "-h", strconv.Itoa(os.Geteuid()), link)}
}

// OwnedInfo is [Owned] for what was seen of a file.
func OwnedInfo(path string, info fs.FileInfo) error {
	e := &OwnerError{Path: path, UID: int(info.Sys().(*syscall.Stat_t).Uid), Mode: info.Mode()}
	switch {
	case e.UID != 0 && e.UID != os.Geteuid():
		e.Remedy = shell.Line("chown", strconv.Itoa(os.Geteuid()), path)
		return e
	case info.Mode()&0o022 != 0 && !(info.IsDir() && info.Mode()&fs.ModeSticky != 0):
		e.Remedy = shell.Line("chmod", "go-w", path)
		return e
	}
	return nil
}
