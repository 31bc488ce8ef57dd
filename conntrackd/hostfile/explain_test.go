package hostfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/trust"
)

func chattr(flag, path string) error {
	out, err := exec.Command("chattr", flag, path).CombinedOutput()
	if err != nil {
		err = errors.Join(err, errors.New(string(out)))
	}
	return err
}

// What keeps a file from being changed is said, with the command that ends it, and
// the errno stays beneath. A look before says the same.
func TestExplain(t *testing.T) {
	mount := func(kind, at, options string) error { return unix.Mount("tmpfs", at, kind, 0, options) }
	readOnlyHere := "DIR/f is read-only for this process's mount namespace alone: run connsync outside of it"
	if unit := trust.Service(os.Getpid()); unit != "" {
		readOnlyHere = "DIR/f is read-only for " + unit + " alone: systemctl edit " + unit + ", with ReadWritePaths=DIR in [Service], then systemctl restart " + unit
	}
	for name, tt := range map[string]struct {
		prepare func(path string) error
		errno   syscall.Errno
		says    string // DIR is the file's directory
	}{
		"immutable":             {func(path string) error { return chattr("+i", path) }, unix.EPERM, "DIR/f is immutable: chattr -i DIR/f"},
		"append-only":           {func(path string) error { return chattr("+a", path) }, unix.EPERM, "DIR/f is append-only: chattr -a DIR/f"},
		"immutable directory":   {func(path string) error { return chattr("+i", filepath.Dir(path)) }, unix.EPERM, "DIR is immutable: chattr -i DIR"},
		"append-only directory": {func(path string) error { return chattr("+a", filepath.Dir(path)) }, unix.EPERM, "DIR is append-only: chattr -a DIR"},
		"bind mount": {func(path string) error { return unix.Mount(path, path, "", unix.MS_BIND, "") }, unix.EBUSY,
			"DIR/f is a mount point, as of a bind mount, so that it cannot be replaced: umount DIR/f, or mount its directory instead"},
		"read-only": {func(path string) error {
			return errors.Join(mount("tmpfs", filepath.Dir(path), ""), os.WriteFile(path, []byte("old\n"), 0o644),
				unix.Mount("", filepath.Dir(path), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}, unix.EROFS, "DIR/f is on a read-only file system: mount -o remount,rw DIR"},
		"read-only here alone": {func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(unix.Mount(dir, dir, "", unix.MS_BIND, ""), unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		}, unix.EROFS, readOnlyHere},
		"full": {func(path string) error {
			dir := filepath.Dir(path)
			fill := func() error {
				err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 1<<20), 0o644)
				if errors.Is(err, unix.ENOSPC) {
					err = nil
				}
				return err
			}
			return errors.Join(mount("tmpfs", dir, "size=64k"), os.WriteFile(path, []byte("old\n"), 0o644), fill())
		}, unix.ENOSPC, "no space left on device: the file system of DIR/f is full: df -h DIR/f"},
		"no inodes": {func(path string) error {
			return errors.Join(mount("tmpfs", filepath.Dir(path), "nr_inodes=2"), os.WriteFile(path, []byte("old\n"), 0o644))
		}, unix.ENOSPC, "no inodes left on device: the file system of DIR/f has as many files as it can: df -i DIR/f"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = chattr("-ia", path), chattr("-ia", dir) })
			var seen error
			err := lab.Covered("", func() error {
				if err := tt.prepare(path); err != nil {
					return err
				}
				seen = Obstacle(path)
				return Replace(path, []byte("old\n"), []byte("new\n"))
			})
			var cause *CauseError
			want := strings.ReplaceAll(tt.says, "DIR", dir)
			if !errors.Is(err, tt.errno) || !errors.As(err, &cause) || !strings.HasSuffix(err.Error(), ": "+want) {
				t.Errorf("it says %v; want %s", err, want)
			}
			if !errors.Is(seen, tt.errno) || seen.Error() != want {
				t.Errorf("a look says %v; want %s", seen, want)
			}
		})
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for errno, want := range map[syscall.Errno]string{
		unix.EMFILE: "too many open files: this process may have ", unix.ENFILE: "too many open files: the processes of this host have ",
		unix.EDQUOT: "disk quota exceeded: user 0 may store no more on the file system of /", unix.EIO: "input/output error: the disk of /",
		unix.EINVAL: "open /nowhere/f: invalid argument", unix.EPERM: "open /nowhere/f: operation not permitted",
	} {
		err := Explain("/nowhere/f", &os.PathError{Op: "open", Path: "/nowhere/f", Err: errno})
		if !errors.Is(err, errno) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: it says %v", errno, err)
		}
	}
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	soft := limit
	soft.Cur = 1 << 40
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &soft); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_FSIZE, &limit)
	if err := Explain("/f", unix.EFBIG); err.Error() != "this process may write files of 1099511627776 bytes at most: ulimit -f unlimited" {
		t.Error(err)
	}
	if err := Explain("/f", nil); err != nil {
		t.Error(err)
	}
}

// A command to paste names the file also where its path has blanks.
func TestExplainQuotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Explain(dir, unix.ENOSPC); !strings.HasSuffix(err.Error(), " '"+dir+"'") {
		t.Errorf("it says %v", err)
	}
}

// Why a process of others cannot be seen depends on what this one may do, and nobody who
// is root is told to become root.
func TestExplainUnseenProcess(t *testing.T) {
	const path = "/proc/1/ns/pid"
	cause, remedy := trust.Ptrace.Denied()
	for _, errno := range []error{unix.EACCES, unix.EPERM, unix.ENOENT} { // hidden with hidepid=2
		if err := Explain(path, errno); err.Error() != path+" "+cause+": "+remedy {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := Explain("/proc/99999999/comm", unix.ENOENT); strings.Contains(err.Error(), "PTRACE") {
		t.Errorf("a process that has ended: %v", err)
	}
}
