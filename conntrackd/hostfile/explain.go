package hostfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"connsync/shell"
	"connsync/trust"
)

// CauseError is the failure of a change of a file whose cause is known. It unwraps
// to the error of the system call.
type CauseError struct {
	Cause  string // a clause that names what is in the way
	Remedy string // a command
	Err    error
}

// Error says the cause and what to do about it, and not the system call.
func (e *CauseError) Error() string { return e.Cause + ": " + e.Remedy }

// Unwrap returns the error of the system call.
func (e *CauseError) Unwrap() error { return e.Err }

// Explain returns an error of a system call that was to read or change the file at
// path, or the names in its directory, as a *[CauseError] where its cause can be
// seen, else as it is; nil for nil.
func Explain(path string, err error) error {
	var errno syscall.Errno
	var known *CauseError
	if errors.As(err, &known) || !errors.As(err, &errno) {
		return err
	}
	cause, remedy := explain(path, errno)
	if cause == "" {
		return err
	}
	return &CauseError{Cause: cause, Remedy: remedy, Err: err}
}

// ofProcess are the files that the kernel has of a process.
var ofProcess = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^/proc/[0-9]+/`) })

func explain(path string, errno syscall.Errno) (cause, remedy string) {
	// With hidepid the first process is not there for others, and it never ends.
	if ofProcess().MatchString(path) && (errno == unix.EPERM || errno == unix.EACCES || errno == unix.ENOENT && strings.HasPrefix(path, "/proc/1/")) {
		cause, remedy = trust.Ptrace.Denied()
		return path + " " + cause, remedy
	}
	switch errno {
	case unix.EPERM, unix.EACCES:
		return flagged(path)
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EEXIST, unix.EISDIR, unix.ENAMETOOLONG:
		return inTheWay(path, errno)
	case unix.EBUSY:
		if mountRoot(path) {
			return path + " is a mount point, as of a bind mount, so that it cannot be replaced",
				shell.Line("umount", path) + ", or mount its directory instead"
		}
	case unix.EROFS:
		at := existing(path)
		for ; at != "/" && !mountRoot(at); at = filepath.Dir(at) {
		}
		if by, remedy := sandboxed(at, existing(filepath.Dir(path))); by != "" {
			return path + " is read-only for " + by + " alone", remedy
		}
		return path + " is on a read-only file system", shell.Line("mount", "-o", "remount,rw", at)
	case unix.ENOSPC:
		at := existing(path)
		var stat unix.Statfs_t
		if unix.Statfs(at, &stat) == nil && stat.Files > 0 && stat.Ffree == 0 {
			return "no inodes left on device: the file system of " + at + " has as many files as it can", shell.Line("df", "-i", at)
		}
		return "no space left on device: the file system of " + at + " is full", shell.Line("df", "-h", at)
	case unix.EDQUOT:
		return fmt.Sprintf("disk quota exceeded: user %d may store no more on the file system of %s", os.Geteuid(), existing(path)), "repquota -a"
	case unix.EFBIG:
		var limit unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_FSIZE, &limit) == nil && limit.Cur != unix.RLIM_INFINITY {
			return fmt.Sprintf("this process may write files of %d bytes at most", limit.Cur), "ulimit -f unlimited"
		}
	case unix.EMFILE:
		var limit unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
			return fmt.Sprintf("too many open files: this process may have %d", limit.Cur), "ulimit -n 1024"
		}
	case unix.ENFILE:
		return "too many open files: the processes of this host have as many as all may have", "sysctl -w fs.file-max=1000000"
	case unix.EIO:
		return "input/output error: the disk of " + existing(path) + " or its file system has failed", "dmesg"
	}
	return "", ""
}

// sandboxed says for whom alone a mount is read-only whose file system is not, such as a
// service with ProtectSystem=strict, and how that could write to dir; blank where this
// process sees the mounts that the host's first process has.
func sandboxed(at, dir string) (by, remedy string) {
	own, err := os.Readlink("/proc/thread-self/ns/mnt")
	hosts, hostErr := os.Readlink("/proc/1/ns/mnt")
	if err != nil || hostErr == nil && own == hosts || !readOnlyMount(at) {
		return "", ""
	}
	if unit := trust.Service(os.Getpid()); unit != "" {
		return unit, "systemctl edit " + unit + ", with ReadWritePaths=" + dir + " in [Service], then systemctl restart " + unit
	}
	return "this process's mount namespace", "run connsync outside of it"
}

// readOnlyMount says that the mount at a path is read-only, and its file system is not
// (proc_pid_mountinfo(5)).
func readOnlyMount(at string) bool {
	content, _ := os.ReadFile("/proc/thread-self/mountinfo")
	found := false
	for line := range strings.Lines(string(content)) {
		mount, of, _ := strings.Cut(line, " - ")
		own, filesystem := strings.Fields(mount), strings.Fields(of)
		if len(own) < 6 || len(filesystem) < 3 || strings.ReplaceAll(own[4], `\040`, " ") != at {
			continue
		}
		// Of several at one place the last one is on top.
		found = slices.Contains(strings.Split(own[5], ","), "ro") && slices.Contains(strings.Split(filesystem[2], ","), "rw")
	}
	return found
}

// flagged looks for a flag of chattr(1) that keeps even root from changing a file, or
// the names in its directory.
func flagged(path string) (cause, remedy string) {
	for _, at := range []string{path, existing(filepath.Dir(path))} {
		switch flags := attributes(at); {
		case flags&unix.STATX_ATTR_IMMUTABLE != 0:
			return at + " is immutable", shell.Line("chattr", "-i", at)
		case flags&unix.STATX_ATTR_APPEND != 0:
			return at + " is append-only", shell.Line("chattr", "-a", at)
		}
	}
	return "", ""
}

// existing is the path itself, or the next directory above it that is there.
func existing(path string) string {
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	return path
}

// mountRoot says whether something is mounted at a path; false where the kernel does
// not say, as before Linux 5.8.
func mountRoot(path string) bool { return attributes(path)&unix.STATX_ATTR_MOUNT_ROOT != 0 }

// attributes are those of statx(2), none where they cannot be seen.
func attributes(path string) uint64 {
	var stat unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, 0, &stat); err != nil {
		return 0
	}
	return stat.Attributes
}

// neededFiles is more than any command has open at once; Go's runtime itself ends
// with a trace where it cannot open its first few.
const neededFiles = 64

// inheritedFiles is how many of them a caller may have left open: shells, session managers
// and tests leave a few.
const inheritedFiles = 8

// SettleFiles has no program that is started inherit what the caller of this process has
// left open, and says whether beside that it may have as many files open as the work on
// files, programs and sockets takes. The error is a *[CauseError].
func SettleFiles() error {
	defer trust.CloseInChildren()
	cause, remedy := explain("", unix.EMFILE)
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return nil
	}
	free, inherited := uint64(0), 0
	for fd := uint64(0); fd < limit.Cur && free < neededFiles-inheritedFiles; fd++ {
		// No file is opened for it: there may be no room. What closes with the start of a
		// program is of this process, and counts among the needed.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if fd > 2 && err == nil && flags&unix.FD_CLOEXEC == 0 {
			inherited++
		} else {
			free++
		}
	}
	if free == neededFiles-inheritedFiles && limit.Cur >= neededFiles {
		return nil
	}
	if inherited > inheritedFiles {
		cause += fmt.Sprintf(", whoever started it has left %d open", inherited)
		remedy = shell.Line("ulimit", "-n", fmt.Sprint(max(usualFiles, inherited+neededFiles)))
	}
	return &CauseError{Cause: fmt.Sprintf("%s, and %d are needed", cause, neededFiles), Remedy: remedy, Err: unix.EMFILE}
}

// usualFiles is how many files a process may have open by default.
const usualFiles = 1024
