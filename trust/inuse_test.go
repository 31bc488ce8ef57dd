package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// What stands at a path is told with its owner and the command that removes it, and
// is left as it is.
func TestUsable(t *testing.T) {
	const nobody = 65534
	uses := []trust.Use{trust.Lock, trust.Socket, trust.Log}
	foreign := func(put func(string) error) func(string) error {
		return func(path string) error { return errors.Join(put(path), os.Lchown(path, nobody, nobody)) }
	}
	empty := func(path string) error { return os.WriteFile(path, nil, 0o600) }
	data := func(path string) error { return os.WriteFile(path, []byte("precious\n"), 0o600) }
	directory := func(path string) error { return os.Mkdir(path, 0o700) }
	link := func(path string) error { return os.Symlink("/etc/hostname", path) }
	pipe := func(path string) error { return unix.Mkfifo(path, 0o600) }
	device := func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 7))) }
	sticky := func(put func(string) error) func(string) error {
		return func(path string) error {
			return errors.Join(foreign(put)(path), os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky))
		}
	}
	for name, tt := range map[string]struct {
		put  func(string) error
		good []trust.Use
		says string
	}{
		"none":             {func(string) error { return nil }, uses, ""},
		"empty":            {empty, []trust.Use{trust.Lock, trust.Log}, "an empty file of user root with mode 0600"},
		"foreign empty":    {foreign(empty), []trust.Use{trust.Log}, "an empty file of user nobody"},
		"sticky empty":     {sticky(empty), nil, "an empty file of user nobody"},
		"others can write": {func(path string) error { return errors.Join(empty(path), os.Chmod(path, 0o666)) }, []trust.Use{trust.Log}, "with mode 0666"},
		"data":             {data, []trust.Use{trust.Log}, "a file of 9 bytes of user root"},
		"sticky data":      {sticky(data), nil, "nothing needs it, rm /"},
		"directory":        {directory, nil, "nothing needs it, rmdir /"},
		"link":             {link, nil, "a symbolic link of user root"},
		"dangling link":    {func(path string) error { return os.Symlink("/nowhere", path) }, nil, "a symbolic link"},
		"pipe":             {foreign(pipe), nil, "a pipe of user nobody with mode 0600"},
		"socket":           {putSocket, []trust.Use{trust.Socket}, "a socket of user root"},
		"foreign socket":   {foreign(putSocket), nil, "a socket of user nobody"},
		"device":           {device, nil, "a device of user root"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			if err := tt.put(path); err != nil {
				t.Fatal(err)
			}
			for _, use := range uses {
				good := false
				for _, g := range tt.good {
					good = good || g == use
				}
				err := trust.Usable(path, use)
				if (err == nil) != good {
					t.Errorf("as %s: %v", use, err)
				}
				if err != nil && (!strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), path+" is ")) {
					t.Errorf("as %s: %v, want %q", use, err, tt.says)
				}
				if name == "device" && strings.Contains(err.Error(), "rm ") {
					t.Errorf("it would have a device removed: %v", err)
				}
			}
			if _, err := os.Lstat(path); (err != nil) != (name == "none") {
				t.Errorf("looking changed what stands there: %v", err)
			}
		})
	}
	if err := trust.Usable(os.DevNull, trust.Log); err != nil {
		t.Error(err)
	}
	if err := trust.Usable(os.DevNull, trust.Socket); err == nil {
		t.Error("conntrackd would remove /dev/null")
	}
	if err := trust.Usable("/etc/hostname/x", trust.Lock); err == nil {
		t.Error("what could not be read passes")
	}
}

// A command to paste names the file also where its path has blanks.
func TestRemediesAreQuoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b")
	if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{"rm": trust.Usable(path, trust.Lock), "chmod go-w": trust.Owned(path)} {
		if err == nil || !strings.HasSuffix(err.Error(), want+" '"+path+"'") {
			t.Errorf("it says %v", err)
		}
	}
}
