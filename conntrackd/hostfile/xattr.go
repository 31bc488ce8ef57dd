package hostfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// accessList is the attribute with a file's access control list; acl(5). A new file
// inherits one from a directory that has a default list.
const accessList = "system.posix_acl_access"

// sameAccess gives a new file the access list of the one that it is to replace, and takes
// from it what it has inherited and that one, or none, does not have. What the kernel's
// security modules have given it stays.
func sameAccess(f *os.File, target string) error {
	own, err := attributeNames(f.Name(), func(buffer []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), buffer) })
	if err != nil {
		return err
	}
	theirs, err := listAttributes(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range own {
		if strings.HasPrefix(name, "security.") || slices.Contains(theirs, name) {
			continue
		}
		if err := unix.Fremovexattr(int(f.Fd()), name); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("take the inherited attribute %s from %s: %w", name, f.Name(), err)
		}
	}
	if !slices.Contains(theirs, accessList) {
		return nil
	}
	value, err := readAttribute(target, accessList)
	if err == nil {
		err = unix.Fsetxattr(int(f.Fd()), accessList, value, 0)
	}
	return err
}

// listAttributes returns the names of a file's extended attributes that a copy
// must carry. Signatures over the content are left out: they would be wrong.
func listAttributes(path string) ([]string, error) {
	return attributeNames(path, func(buffer []byte) (int, error) { return unix.Listxattr(path, buffer) })
}

func attributeNames(path string, list func(buffer []byte) (int, error)) ([]string, error) {
	buffer := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := list(buffer)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list attributes of %s: %w", path, err)
	}
	var names []string
	for name := range bytes.SplitSeq(bytes.TrimSuffix(buffer[:n], []byte{0}), []byte{0}) {
		switch string(name) {
		case "", "security.ima", "security.evm":
		default:
			names = append(names, string(name))
		}
	}
	return names, nil
}

func readAttribute(path, name string) ([]byte, error) {
	buffer := make([]byte, 64<<10) // XATTR_SIZE_MAX
	n, err := unix.Getxattr(path, name, buffer)
	if err != nil {
		return nil, fmt.Errorf("read attribute %s of %s: %w", name, path, err)
	}
	return buffer[:n], nil
}
