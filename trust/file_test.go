package trust_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"empty": "", "ten": "0123456789", "eleven": "0123456789x"} {
		if err := os.WriteFile(at(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(unix.Mkfifo(at("fifo"), 0o666), os.Symlink("ten", at("link")), os.Symlink("/dev/null", at("null"))); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		at("ten"):    "",
		at("link"):   "",
		at("empty"):  "",
		at("eleven"): "eleven has more than 10 bytes",
		at("fifo"):   "fifo is not a regular file",
		at("null"):   "null is not a regular file",
		dir:          "is not a regular file",
		"/dev/zero":  "/dev/zero is not a regular file",
		"/dev/tty":   "/dev/tty is not a regular file",
	} {
		content, err := trust.ReadFile(path, 10)
		switch {
		case want == "" && (err != nil || content == nil):
			t.Errorf("%s: %q, %v", path, content, err)
		case want != "" && (err == nil || content != nil || !strings.HasSuffix(err.Error(), want)):
			t.Errorf("%s: %d bytes, %v; want %s", path, len(content), err, want)
		}
	}
	if _, err := trust.ReadFile(at("gone"), 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	// A file of the kernel's says that it is empty.
	if content, err := trust.ReadFile("/proc/self/status", 1<<20); err != nil || len(content) == 0 {
		t.Errorf("a file of /proc: %q, %v", content, err)
	}
	for path, want := range map[string]bool{at("null"): true, "/dev/zero": false, at("ten"): false, at("gone"): false} {
		if trust.Masked(path) != want {
			t.Errorf("%s masked: %t", path, !want)
		}
	}
}
