package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"connsync/conntrackd/hostfile/hostfiletest"
)

// A relative link is followed from the directory that it is in, also where that is behind
// a link itself: nobody else's file is replaced, swept beside or removed.
func TestLinkInALinkedDirectory(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"replace": func(path string) error { return Replace(path, []byte("old"), []byte("new")) },
		"remove":  func(path string) error { return Replace(path, []byte("old"), nil) },
		"journal": func(path string) error {
			j, err := OpenJournal(filepath.Join(t.TempDir(), "journal.json"), JournalOptions{})
			if err != nil {
				return err
			}
			return j.Begin().Make(t.Context(), Change{Kind: ChangeFile, Path: path, Read: []byte("old"), Content: []byte("new")})
		},
	} {
		for _, named := range []string{"/etc/d/c.conf", "/etc/d/../c.conf"} {
			dir := t.TempDir()
			temp := "/" + tempPrefix("c.conf") + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			err := errors.Join(os.MkdirAll(dir+"/data/etc/d", 0o755), os.Mkdir(dir+"/etc", 0o755), os.Symlink(dir+"/data/etc/d", dir+"/etc/d"),
				os.Symlink("../c.conf", dir+"/data/etc/d/c.conf"), os.WriteFile(dir+"/data/etc/c.conf", []byte("old"), 0o644),
				os.WriteFile(dir+"/etc/c.conf", []byte("precious"), 0o644), os.WriteFile(dir+"/etc"+temp, nil, 0o600))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(Obstacle(dir+named), Sweep(dir+named), change(dir+named)); err != nil {
				t.Errorf("%s %s: %v", name, named, err)
			}
			want := "new"
			if name == "remove" {
				want = ""
			}
			if got, _ := os.ReadFile(dir + "/data/etc/c.conf"); string(got) != want {
				t.Errorf("%s %s: the file has %q", name, named, got)
			}
			if got, err := os.ReadFile(dir + "/etc/c.conf"); string(got) != "precious" {
				t.Errorf("%s %s: another's file has %q, %v", name, named, got, err)
			}
			if list := hostfiletest.Listing(t, dir+"/etc"); len(list) != 3 {
				t.Errorf("%s %s: beside another's file there are %v", name, named, list)
			}
		}
	}
}

// A path below a current directory that was removed is told as that, and not as one that is
// missing.
func TestCurrentDirectoryIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	path, absolute := "x.conf", "/srv/x.conf"
	var told *CauseError
	if err := Absolute(&absolute, &path); !errors.As(err, &told) || told.Remedy != "cd /" || path != "x.conf" {
		t.Errorf("%s: %v", path, err)
	}
	if absolute != "/srv/x.conf" {
		t.Errorf("/srv/x.conf became %s", absolute)
	}
}
