package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"connsync/trust"
)

// What is above a link is above what it leads to. The kernel, which opens each path, says
// which file it is.
func TestPathsAboveLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return dir + "/" + name }
	err = errors.Join(os.MkdirAll(at("data/etc/d"), 0o755), os.MkdirAll(at("etc"), 0o755), os.Symlink(at("data/etc/d"), at("etc/d")),
		os.WriteFile(at("data/etc/c.conf"), []byte("meant"), 0o644), os.WriteFile(at("etc/c.conf"), []byte("another's"), 0o644),
		os.Symlink("../c.conf", at("data/etc/d/c.conf")), os.Symlink("d/../c.conf", at("etc/dotted.conf")), os.Symlink("d/../new", at("etc/new")))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(at("etc"))
	for _, tt := range []struct{ path, target, absolute string }{
		{at("etc/d/c.conf"), at("data/etc/c.conf"), at("etc/d/c.conf")},
		{at("etc/dotted.conf"), at("data/etc/c.conf"), at("etc/dotted.conf")},
		{at("etc/d/../c.conf"), at("data/etc/c.conf"), at("data/etc/c.conf")},
		{at("etc/d/../d/c.conf"), at("data/etc/c.conf"), at("data/etc/d/c.conf")},
		{at("etc/c.conf"), at("etc/c.conf"), at("etc/c.conf")},
		{at("etc/new"), at("data/etc/new"), at("etc/new")},
		{at("etc/d/../none/new"), at("data/etc/none/new"), at("data/etc/none/new")},
		{at("none/new"), at("none/new"), at("none/new")},
		{"d/../c.conf", at("data/etc/c.conf"), at("data/etc/c.conf")},
		{"./c.conf", "./c.conf", at("etc/c.conf")},
		{at("none/../c.conf"), "", ""}, {at("etc/c.conf/../c.conf"), "", ""}, // the kernel finds neither
	} {
		target, err := trust.Target(tt.path)
		if target != tt.target || (err != nil) != (tt.target == "") {
			t.Errorf("%s: the target is %q, %v; want %q", tt.path, target, err, tt.target)
		}
		absolute, err := trust.Absolute(tt.path)
		if absolute != tt.absolute || (err != nil) != (tt.absolute == "") {
			t.Errorf("%s: it is %q, %v; want %q", tt.path, absolute, err, tt.absolute)
		}
		meant, statErr := os.Stat(tt.path)
		if statErr != nil {
			continue
		}
		for _, name := range []string{target, absolute} {
			if named, err := os.Stat(name); err != nil || !os.SameFile(meant, named) {
				t.Errorf("%s: the kernel has another file than %s (%v)", tt.path, name, err)
			}
		}
	}
}

func TestDirectory(t *testing.T) {
	for path, want := range map[string]string{"/a/link/../b": "/a/link/..", "b": ".", "/b": "/", "//b": "/", "a/b": "a"} {
		if got := trust.Directory(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
