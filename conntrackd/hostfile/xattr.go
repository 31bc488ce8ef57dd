package hostfile

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// listAttributes returns the names of a file's extended attributes that a copy
// must carry. Signatures over the content are left out: they would be wrong.
func listAttributes(path string) ([]string, error) {
	buffer := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Listxattr(path, buffer)
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
