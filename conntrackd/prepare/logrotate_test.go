package prepare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A rule that cannot be read may be one that restarts the daemon; what
// logrotate itself passes over is not looked at.
func TestLogrotateLookSaysWhatItCouldNotRead(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, filepath.Dir(logrotateRule))
	if err := os.MkdirAll(filepath.Join(dir, "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	look := func() Item {
		t.Helper()
		found := make(chan Item, 1)
		go func() {
			i, _ := (&hostLook{p: &Preparer{root: root}, own: true}).logrotate()
			found <- i
		}()
		select {
		case i := <-found:
			return i
		case <-time.After(time.Minute):
			t.Fatal("the look waits for a file")
		}
		return Item{}
	}
	if i := look(); i.State != ItemInPlace {
		t.Errorf("%s: %s; want %s", i.State, i.Detail, ItemInPlace)
	}
	// A regular file whose reading fails, for root too.
	if err := os.Symlink("/proc/self/mem", filepath.Join(dir, "unreadable")); err != nil {
		t.Fatal(err)
	}
	if i := look(); i.State != ItemUnknown || !strings.Contains(i.Detail, "unreadable: input/output error") {
		t.Errorf("%s: %s; want %s", i.State, i.Detail, ItemUnknown)
	}
}
