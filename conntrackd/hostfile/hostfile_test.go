package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile/hostfiletest"
)

// What becomes of a file's other names is said behind a link too, and of nothing else.
func TestOtherNames(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.WriteFile(at("one"), nil, 0o644), os.WriteFile(at("two"), nil, 0o644), os.Link(at("two"), at("second")), os.Symlink("two", at("link")))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"one": "", "gone": "", ".": "",
		"two":  at("two") + " has 2 names (hard links): this one gets the new content, any other keeps the old",
		"link": at("link") + " has 2 names (hard links): this one gets the new content, any other keeps the old",
	} {
		if got := OtherNames(at(name)); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A published file is for everybody unless it was closed to others, a link is replaced
// and not followed, and a failure leaves nothing beside the file.
func TestPublishFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "status.json"), filepath.Join(dir, "link")
	want := os.FileMode(0o644)
	for _, content := range []string{"one\n", "two\n"} {
		if err := Publish(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"/status.json": content}, hostfiletest.Files(t, dir)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if mode := fileInfo(t, path).Mode(); mode != want {
			t.Errorf("the mode is %v, want %v", mode, want)
		}
		want = 0o600
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("status.json", link); err != nil {
		t.Fatal(err)
	}
	if err := Publish(link, []byte("three\n")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"/status.json": "two\n", "/link": "three\n"}, hostfiletest.Files(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if mode := fileInfo(t, link).Mode(); mode != 0o644 {
		t.Errorf("the mode is %v", mode)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "taken"), 0o755), os.Symlink(".", filepath.Join(dir, "here"))); err != nil {
		t.Fatal(err)
	}
	if err := Publish(filepath.Join(dir, "here/status.json"), nil); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("behind a link on the way: %v", err)
	}
	if err := Publish(filepath.Join(dir, "taken"), nil); err == nil {
		t.Error("a directory was replaced")
	}
	if diff := cmp.Diff([]string{"here", "link", "status.json", "taken"}, hostfiletest.Listing(t, dir)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}
