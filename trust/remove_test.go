package trust_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// Whatever a configuration names, only an empty regular file or a socket of root's goes.
func TestRemoveStale(t *testing.T) {
	const nobody = 65534
	for name, tt := range map[string]struct {
		put     func(path string) error
		removed bool
	}{
		"foreign": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, nobody, nobody))
		}, false},
		"foreign in a sticky directory": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, nobody, nobody), os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky))
		}, false},
		"empty":     {func(path string) error { return os.WriteFile(path, nil, 0o600) }, true},
		"none":      {func(string) error { return nil }, true},
		"content":   {func(path string) error { return os.WriteFile(path, []byte("precious\n"), 0o600) }, false},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, false},
		"link":      {func(path string) error { return os.Symlink("/dev/null", path) }, false},
		"fifo":      {func(path string) error { return unix.Mkfifo(path, 0o600) }, false},
		"socket":    {putSocket, true},
		"in a directory of another": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(filepath.Dir(path), nobody, nobody))
		}, false},
		"in a sticky directory": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			if err := tt.put(path); err != nil {
				t.Fatal(err)
			}
			use := trust.Lock
			if name == "socket" {
				use = trust.Socket
			}
			err := trust.RemoveStale(path, use)
			if _, stat := os.Lstat(path); (err == nil) != tt.removed || (stat != nil) != tt.removed {
				t.Errorf("removing says %v; looking says %v", err, stat)
			}
		})
	}
	if err := trust.RemoveStale("/nowhere/at/all", trust.Lock); err != nil {
		t.Error(err)
	}
}

// putSocket leaves a socket that nobody serves.
func putSocket(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		l.SetUnlinkOnClose(false)
		err = errors.Join(l.Close(), os.Chmod(path, 0o600))
	}
	return err
}
