package hostfile

import (
	"os"
	"path/filepath"
	"testing"
)

// The first file that a save replaces holds up no signal until the new content takes its place,
// and all that comes after that does.
func TestFirstReplaceMayBeCutShortUntilTheRename(t *testing.T) {
	dir := t.TempDir()
	lock, err := LockWriter(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	locked := writing.Load()
	fsys, at := newFiles(), map[string]int32{}
	write, rename := fsys.write, fsys.rename
	fsys.write = func(f *os.File, content []byte) error {
		at["write"] = writing.Load()
		return write(f, content)
	}
	fsys.rename = func(from, to string) error {
		at["rename"] = writing.Load()
		return rename(from, to)
	}
	path := filepath.Join(dir, "conntrackd.conf")
	if err := fsys.first(path, nil, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if at["write"] != locked-1 || at["rename"] != locked || writing.Load() != locked {
		t.Errorf("written at %v, afterwards %d, with the lock %d", at, writing.Load(), locked)
	}
	if err := fsys.first(path, []byte("other"), []byte("new")); err == nil || writing.Load() != locked {
		t.Errorf("a refused one: %v, afterwards %d, with the lock %d", err, writing.Load(), locked)
	}
}
