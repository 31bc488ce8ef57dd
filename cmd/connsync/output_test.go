package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// --output does not follow the link of another user in a directory that others
// can write, and follows one's own.
func TestOutputFollowsNoForeignLink(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(t.TempDir(), "victim"), filepath.Join(dir, "link")
	err := errors.Join(os.Chmod(dir, 0o777|os.ModeSticky), os.WriteFile(victim, []byte("old\n"), 0o600), os.Symlink(victim, link))
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("own\n")); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(link, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("new\n")); err == nil || !strings.Contains(err.Error(), link+" is a symbolic link of user 65534") {
		t.Errorf("it says %v", err)
	}
	info, err := os.Stat(victim)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode is %v (%v)", info.Mode(), err)
	}
	if content, err := os.ReadFile(victim); err != nil || string(content) != "own\n" {
		t.Errorf("the file is %q (%v)", content, err)
	}
}
