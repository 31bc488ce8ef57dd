package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A path that leads nowhere is told by the part that is in the way, with what ends it.
// Nothing is written for it: what is looked at before says the same.
func TestPathThatLeadsNowhere(t *testing.T) {
	lock := func(dir string) error { _, err := LockWriter(dir); return err }
	replace := func(path string) error { return Replace(path, nil, []byte("new\n")) }
	read := func(path string) error { _, err := Read(path); return err }
	open := func(path string) error { _, err := os.Open(path); return Explain(path, err) }
	readAll := func(path string) error { _, err := os.ReadFile(path); return Explain(path+"/", err) }
	long := strings.Repeat("n", maxName+1)
	for _, tt := range []struct {
		path string // below DIR, where there are a file, an empty directory and links
		says string
		do   func(path string) error
		look func(path string) error // nil where nothing looks before
	}{
		{"none/c.conf", "the directory DIR/none does not exist: mkdir -p DIR/none", replace, Obstacle},
		{"a b/c/c.conf", "the directory DIR/a b/c does not exist: mkdir -p 'DIR/a b/c'", replace, Obstacle},
		{"astray.conf", "the directory DIR/none does not exist: mkdir -p DIR/none", replace, Obstacle},
		{"astray/c.conf", "DIR/astray is a symbolic link to DIR/none, which does not exist: mkdir -p DIR/none", replace, Obstacle},
		{"file/c.conf", "DIR/file is not a directory: give another path, or move that file away", replace, Obstacle},
		{"loop", "DIR/loop is a symbolic link that leads back to itself: rm DIR/loop", replace, Obstacle},
		{"loop/c.conf", "DIR/loop is a symbolic link that leads back to itself: rm DIR/loop", replace, Obstacle},
		{long, "a name in DIR has 256 bytes, and may have 255: give a shorter one", replace, Obstacle},
		{"directory", "DIR/directory is not a regular file", replace, Obstacle},
		{"loop", "DIR/loop is a symbolic link that leads back to itself: rm DIR/loop", read, nil},
		{"file/c.conf", "DIR/file is not a directory: give another path, or move that file away", read, nil},
		{"none.conf", "there is no DIR/none.conf: ls DIR", open, nil},
		{"directory", "DIR/directory is a directory and not a file: give another path, or rmdir DIR/directory", readAll, nil},
		{"", "DIR is a directory and not a file: give another path", readAll, nil},
		{"file", "DIR/file is not a directory: give another path, or move that file away", lock, LockObstacle},
		{"file/run", "DIR/file is not a directory: give another path, or move that file away", lock, LockObstacle},
		{"loop", "DIR/loop is a symbolic link that leads back to itself: rm DIR/loop", lock, LockObstacle},
		{"astray", "DIR/astray is a symbolic link to DIR/none, which does not exist: mkdir -p DIR/none", lock, LockObstacle},
		{"locked", "DIR/locked/lock is a directory and not a file: give another path, or rmdir DIR/locked/lock", lock, LockObstacle},
	} {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		err := errors.Join(os.WriteFile(at("file"), nil, 0o644), os.MkdirAll(at("locked/lock"), 0o755), os.Mkdir(at("directory"), 0o755),
			os.Symlink("loop", at("loop")), os.Symlink("none", at("astray")), os.Symlink("none/c.conf", at("astray.conf")))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(tt.says, "DIR", dir)
		if tt.look != nil {
			if err := tt.look(at(tt.path)); err == nil || err.Error() != want {
				t.Errorf("a look at %s says %v; want %s", tt.path, err, want)
			}
		}
		if err := tt.do(at(tt.path)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: it says %v; want %s", tt.path, err, want)
		}
	}
}

// Where nothing is in the way, a look says so and leaves nothing.
func TestNoObstacle(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(Obstacle(filepath.Join(dir, "c.conf")), LockObstacle(filepath.Join(dir, "a", "b")), DirectoryObstacle(dir)); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it left %v (%v)", entries, err)
	}
}
