package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Access says who may do what with a file: what a file that is made again gets back.
type Access struct {
	Mode fs.FileMode `json:"mode"`
	UID  int         `json:"uid"`
	GID  int         `json:"gid"`
	// Attributes are the extended attributes, an access list among them.
	Attributes map[string][]byte `json:"attributes,omitempty"`
}

// AccessOf takes down what a file has; nil without an error where there is none.
func AccessOf(path string) (*Access, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, Explain(path, err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	a := &Access{Mode: info.Mode() & keptMode, UID: int(owner.Uid), GID: int(owner.Gid)}
	names, err := listAttributes(path)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		value, err := readAttribute(path, name)
		if err != nil {
			return nil, err
		}
		if a.Attributes == nil {
			a.Attributes = map[string][]byte{}
		}
		a.Attributes[name] = value
	}
	return a, nil
}

// give gives a new file owner and attributes; the mode is for when it has its content.
func (a *Access) give(fsys files, f *os.File) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if owner := now.Sys().(*syscall.Stat_t); int(owner.Uid) != a.UID || int(owner.Gid) != a.GID {
		if err := fsys.owner(f, a.UID, a.GID); err != nil {
			return err
		}
	}
	for name, value := range a.Attributes {
		err := fsys.attribute(f, name, value)
		if err != nil && !errors.Is(err, unix.ENOTSUP) { // it may be on another file system by now
			return fmt.Errorf("restore attribute %s: %w", name, err)
		}
	}
	return nil
}

// ReplaceWith is [Replace] for a file that was there before, and gets that access where it
// is made again: at no time may anybody do more with it. Nil is that of a new file, and
// what is there keeps its own.
func ReplaceWith(access *Access, path string, read, content []byte) error {
	fsys := newFiles()
	fsys.access = access
	return fsys.put(path, read, content)
}

// ReplaceFirst is [ReplaceWith] for a writer that has changed nothing else yet: until the new
// content takes the place of the old one, it is [Looking].
func ReplaceFirst(access *Access, path string, read, content []byte) error {
	fsys := newFiles()
	fsys.access = access
	return fsys.first(path, read, content)
}

func (fsys files) first(path string, read, content []byte) error {
	if content != nil { // else it is removed, which is one step
		end, rename := Looking(), fsys.rename
		defer end()
		fsys.rename = func(from, to string) error {
			end()
			return rename(from, to)
		}
	}
	return fsys.put(path, read, content)
}
