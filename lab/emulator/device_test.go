package emulator

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A host where nobody may open a device below /tmp has consoles too.
func TestConsoleWithoutDevicesInTmp(t *testing.T) {
	runtime.LockOSThread() // not unlocked: the thread and what is mounted for it end with the test
	tmp := t.TempDir()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", tmp, "tmpfs", unix.MS_NODEV, "")); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(tmp, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", tmp)
	c, err := openConsole(func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
