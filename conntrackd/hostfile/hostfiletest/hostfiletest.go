package hostfiletest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Listing is the names in a directory, sorted.
func Listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Stat is what stat(2) says of a file.
func Stat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// Files are the files under a directory with their contents, by their path from
// root, which begins with a slash.
func Files(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(root, path))
		found["/"+path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// OnTmpfs runs fn with a directory that is a file system of its own, mounted with options
// in a mount namespace that only the thread of fn is in. It needs root.
func OnTmpfs(t *testing.T, options string, fn func(dir string) error) {
	t.Helper()
	dir := t.TempDir()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its namespace
		done <- inNewMountNamespace(dir, options, fn)
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func inNewMountNamespace(dir, options string, fn func(dir string) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("this test needs root: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		return err
	}
	return fn(dir)
}
