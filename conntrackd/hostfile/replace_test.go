package hostfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile/hostfiletest"
)

func TestReplaceKeepsEverythingButTheContent(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "real", "conntrackd.conf")
	link := filepath.Join(dir, "conntrackd.conf")
	if err := os.Mkdir(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real/conntrackd.conf", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(target, 12, 34); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	if err := os.Chmod(target, 0o640|fs.ModeSetgid|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	attributes := map[string]string{
		"user.note":        "by hand",
		"security.selinux": "system_u:object_r:etc_t:s0\x00",
		"trusted.overlay":  "y",
	}
	for name, value := range attributes {
		if err := unix.Setxattr(target, name, []byte(value), 0); err != nil {
			t.Fatalf("set %s: %v", name, err)
		}
	}
	if err := newFiles().replace(link, []byte("old"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(link); err != nil || got != "real/conntrackd.conf" {
		t.Errorf("the link is now %q, %v", got, err)
	}
	st := hostfiletest.Stat(t, target)
	if st.Mode&0o7777 != 0o3640 || st.Uid != 12 || st.Gid != 34 {
		t.Errorf("mode %o owner %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
	}
	for name, want := range attributes {
		if got, err := readAttribute(target, name); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	if got, _ := os.ReadFile(link); string(got) != "new" {
		t.Errorf("content %q", got)
	}
}

func TestReplaceNewFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "conntrackd.conf")
	if err := os.Symlink("later.conf", path); err != nil { // a link that leads nowhere yet
		t.Fatal(err)
	}
	if err := newFiles().replace(path, nil, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if st := hostfiletest.Stat(t, filepath.Join(dir, "later.conf")); st.Mode&0o7777 != 0o644 {
		t.Errorf("mode %o", st.Mode&0o7777)
	}
	if err := newFiles().remove(path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"conntrackd.conf"}, hostfiletest.Listing(t, dir)); diff != "" {
		t.Errorf("after rolling it back (-want +got):\n%s", diff)
	}
}

func TestReplaceRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "conntrackd.conf")
	var changed *ChangedError
	if err := newFiles().replace(path, []byte("was there"), []byte("new")); !errors.As(err, &changed) || changed.Now != nil {
		t.Errorf("the file is gone: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := newFiles().replace(path, nil, []byte("new")); !errors.As(err, &changed) || changed.Now == nil {
		t.Errorf("an empty file appeared: %v", err)
	}
	if err := newFiles().replace(path, []byte("old"), []byte("new")); !errors.As(err, &changed) {
		t.Errorf("other content: %v", err)
	}
	if err := newFiles().replace(dir, nil, []byte("new")); err == nil {
		t.Error("a directory was replaced")
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := newFiles().replace(loop, nil, []byte("new")); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
	if diff := cmp.Diff([]string{"conntrackd.conf", "loop"}, hostfiletest.Listing(t, dir)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

// Whatever fails, the old content stays and nothing is left beside it.
func TestReplaceFaults(t *testing.T) {
	tests := []struct {
		name    string
		damage  func(*files)
		err     error
		written bool
	}{
		{"create", func(f *files) {
			f.create = func(string, fs.FileMode) (*os.File, error) { return nil, syscall.EROFS }
		}, syscall.EROFS, false},
		{"half a write", func(f *files) {
			f.write = func(f *os.File, content []byte) error {
				_, _ = f.Write(content[:len(content)/2])
				return syscall.ENOSPC
			}
		}, syscall.ENOSPC, false},
		{"owner", func(f *files) { f.owner = func(*os.File, int, int) error { return syscall.EPERM } }, syscall.EPERM, false},
		{"attribute", func(f *files) { f.attribute = func(*os.File, string, []byte) error { return syscall.EDQUOT } }, syscall.EDQUOT, false},
		{"sync", func(f *files) { f.sync = func(*os.File) error { return syscall.EIO } }, syscall.EIO, false},
		{"close", func(f *files) {
			f.close = func(f *os.File) error { return errors.Join(f.Close(), syscall.EIO) }
		}, syscall.EIO, false},
		{"rename", func(f *files) { f.rename = func(string, string) error { return syscall.EIO } }, syscall.EIO, false},
		{"directory sync", func(f *files) { f.syncDir = func(string) error { return syscall.EIO } }, ErrNotDurable, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "conntrackd.conf")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Chown(path, 12, 34), unix.Setxattr(path, "user.note", []byte("x"), 0)); err != nil {
				t.Fatalf("this test needs root: %v", err)
			}
			f := newFiles()
			tt.damage(&f)
			if err := f.replace(path, []byte("old"), []byte("new content")); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			want := "old"
			if tt.written {
				want = "new content"
			}
			if got, _ := os.ReadFile(path); string(got) != want {
				t.Errorf("content %q, want %q", got, want)
			}
			if diff := cmp.Diff([]string{"conntrackd.conf"}, hostfiletest.Listing(t, dir)); diff != "" {
				t.Errorf("left behind (-want +got):\n%s", diff)
			}
		})
	}
}

// A name that begins as that of a temporary file, and was given by somebody, is not one.
func TestReplaceSweepsOnlyItsOwn(t *testing.T) {
	dir := t.TempDir()
	want := []string{
		".conntrackd.conf.connsync", ".conntrackd.conf.connsync-", ".conntrackd.conf.connsync-ABCDEFGHIJKLMNOPQRSTUVWX01",
		".conntrackd.conf.connsync-my-backup", ".conntrackd.conf.swp", "conntrackd.conf", "conntrackd.conf.bak",
	}
	killed := filepath.Base(tempBeside("conntrackd.conf"))
	for _, name := range append(slices.Clone(want), killed) {
		if IsTemporary(name) != (name == killed) {
			t.Errorf("%s is temporary: %t", name, IsTemporary(name))
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := newFiles().replace(filepath.Join(dir, "conntrackd.conf"), []byte("old"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, hostfiletest.Listing(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The name of a file may be as long as any: its temporary file has no longer one.
func TestReplaceLongName(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("n", maxName)
	if err := newFiles().replace(filepath.Join(dir, name), nil, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if temp := filepath.Base(tempBeside(name)); len(temp) != maxName || !IsTemporary(temp) {
		t.Errorf("the temporary file is %s", temp)
	}
	if diff := cmp.Diff([]string{name}, hostfiletest.Listing(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReplaceOnAFullDisk(t *testing.T) {
	hostfiletest.OnTmpfs(t, "size=64k", func(dir string) error {
		path := filepath.Join(dir, "conntrackd.conf")
		old := bytes.Repeat([]byte("old\n"), 4<<10)
		if err := os.WriteFile(path, old, 0o644); err != nil {
			return err
		}
		err := newFiles().replace(path, old, bytes.Repeat([]byte("new\n"), 16<<10))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("error %v", err)
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, old) {
			t.Errorf("%d bytes are there, not the old %d", len(got), len(old))
		}
		if diff := cmp.Diff([]string{"conntrackd.conf"}, hostfiletest.Listing(t, dir)); diff != "" {
			t.Errorf("left behind:\n%s", diff)
		}
		return nil
	})
}

func TestReplaceOnAReadOnlyFileSystem(t *testing.T) {
	hostfiletest.OnTmpfs(t, "size=64k", func(dir string) error {
		path := filepath.Join(dir, "conntrackd.conf")
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
		if err := newFiles().replace(path, []byte("old"), []byte("new")); !errors.Is(err, syscall.EROFS) {
			t.Errorf("error %v", err)
		}
		if got, _ := os.ReadFile(path); string(got) != "old" {
			t.Errorf("content %q", got)
		}
		return nil
	})
}

// TestSaveLoop is the process that TestReplaceKilled kills.
func TestSaveLoop(t *testing.T) {
	path := os.Getenv("CONNSYNC_SAVE_LOOP")
	if path == "" {
		return // nobody asked
	}
	for round := 0; ; round++ {
		if round == 1 {
			fmt.Println("saved")
		}
		now, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		next := bytes.Repeat([]byte("a"), 100_000)
		if bytes.HasPrefix(now, []byte("a")) {
			next = bytes.Repeat([]byte("b"), 150_000)
		}
		if err := newFiles().replace(path, now, next); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplaceKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	if err := os.WriteFile(path, bytes.Repeat([]byte("a"), 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for round := range 25 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSaveLoop$")
		cmd.Env = append(os.Environ(), "CONNSYNC_SAVE_LOOP="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Errorf("it saved nothing: %v", err)
		}
		time.Sleep(time.Duration(round) * time.Millisecond / 2)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b := bytes.Count(content, []byte("a")), bytes.Count(content, []byte("b"))
		if !(a == 100_000 && b == 0) && !(a == 0 && b == 150_000) {
			t.Fatalf("after a kill the file holds %d a and %d b", a, b)
		}
		seen[string(content[:1])] = true
	}
	if len(seen) != 2 {
		t.Errorf("the process was always killed at the same save: only %v was ever seen", seen)
	}
	// The next save takes the leftovers away.
	now, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := newFiles().replace(path, now, []byte("c")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"conntrackd.conf"}, hostfiletest.Listing(t, filepath.Dir(path))); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

func TestFingerprint(t *testing.T) {
	if a, b := Fingerprint([]byte("a")), Fingerprint([]byte("b")); a == b || len(a) != 12 || strings.ToLower(a) != a {
		t.Errorf("fingerprints %q and %q", a, b)
	}
	if Fingerprint(nil) == Fingerprint([]byte{}) {
		t.Error("no file and an empty file have the same fingerprint")
	}
}
