package hostfile

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// aclOf is an access control list as the kernel takes it: rights of the owner, of user
// nobody, of the group, the mask and the others; linux/posix_acl_xattr.h.
func aclOf(rights [5]uint16) []byte {
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for i, tag := range []uint16{0x01, 0x02, 0x04, 0x10, 0x20} {
		id := uint32(0xffffffff)
		if tag == 0x02 {
			id = nobody
		}
		list = binary.LittleEndian.AppendUint16(list, tag)
		list = binary.LittleEndian.AppendUint16(list, rights[i])
		list = binary.LittleEndian.AppendUint32(list, id)
	}
	return list
}

// A file has the access list that it had, or none, whatever new files of its directory
// inherit: nobody gets access, and its group keeps it.
func TestReplaceAddsNoAccess(t *testing.T) {
	inherited, own := aclOf([5]uint16{7, 6, 0, 7, 0}), aclOf([5]uint16{6, 4, 0, 4, 0})
	save := func(path string) error { return Replace(path, []byte("old"), []byte("new")) }
	publish := func(path string) error { return Publish(path, []byte("new")) }
	for name, tt := range map[string]struct {
		write    func(path string) error
		old, acl []byte // the file before, nil for none, and its list
		mode     os.FileMode
	}{
		"saved":                        {save, []byte("old"), nil, 0o660},
		"saved with a list":            {save, []byte("old"), own, 0o640},
		"saved for the first time":     {func(path string) error { return Replace(path, nil, []byte("new")) }, nil, nil, 0o644},
		"published":                    {publish, []byte("old"), nil, 0o660},
		"published with a list":        {publish, []byte("old"), own, 0o640},
		"published for the first time": {publish, nil, nil, 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "c.conf")
			var err error
			if tt.old != nil {
				err = errors.Join(os.WriteFile(path, tt.old, 0o600), os.Chmod(path, tt.mode))
			}
			if tt.acl != nil {
				err = errors.Join(err, unix.Setxattr(path, accessList, tt.acl, 0))
			}
			if err := errors.Join(err, unix.Setxattr(dir, "system.posix_acl_default", inherited, 0)); err != nil {
				t.Fatalf("this test needs a file system with access lists: %v", err)
			}
			if err := tt.write(path); err != nil {
				t.Fatal(err)
			}
			names, err := listAttributes(path)
			if err != nil || slices.Contains(names, accessList) != (tt.acl != nil) {
				t.Fatalf("it has %s, %v", strings.Join(names, ", "), err)
			}
			if tt.acl != nil {
				if got, err := readAttribute(path, accessList); string(got) != string(tt.acl) {
					t.Errorf("its list is %x, %v; want %x", got, err, tt.acl)
				}
			}
			if mode := fileInfo(t, path).Mode(); mode != tt.mode {
				t.Errorf("its mode is %v, want %v", mode, tt.mode)
			}
		})
	}
}

// The journal gives a file that a change took away its access list back too.
func TestJournalGivesAccessBack(t *testing.T) {
	dir := t.TempDir()
	path, list := filepath.Join(dir, "rule"), aclOf([5]uint16{6, 4, 0, 4, 0})
	err := errors.Join(os.WriteFile(path, []byte("old"), 0o600), unix.Setxattr(path, accessList, list, 0))
	if err != nil {
		t.Fatalf("this test needs a file system with access lists: %v", err)
	}
	want, err := AccessOf(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := OpenJournal(filepath.Join(dir, "journal.json"), JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	run := j.Begin()
	if err := errors.Join(run.Make(t.Context(), Change{Kind: ChangeFile, Path: path, Read: []byte("old")}), run.RollBack(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got, err := AccessOf(path); err != nil || !cmp.Equal(got, want) || string(got.Attributes[accessList]) != string(list) {
		t.Errorf("it has %+v, %v; want %+v", got, err, want)
	}
}
