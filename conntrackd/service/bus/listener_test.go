package bus

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket that another user serves gets not a word, since DBUS_SYSTEM_BUS_ADDRESS may be
// that user's.
func TestBusOfAnotherUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	// The kernel notes who calls listen(2); a thread alone may be another user for that.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become := func(uid uintptr) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uid, ^uintptr(0)); errno != 0 {
			t.Fatal(errno)
		}
	}
	become(65534)
	err = unix.Listen(fd, 1)
	become(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openBus(t.Context(), "unix:path="+path); err == nil || !strings.Contains(err.Error(), "is served by user 65534, who is not root: unset that variable") {
		t.Errorf("the bus of another user: %v", err)
	}
}
