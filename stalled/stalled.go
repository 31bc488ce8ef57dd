// Package stalled says which path this process waits for, where a file system does not answer
// or nobody has the other end of a named pipe: what waits there cannot say so itself.
package stalled

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a file may take before that is told.
const patience = 5 * time.Second

// Tell prints what [Watch] says until ctx ends; clean takes out what a terminal would obey.
func Tell(ctx context.Context, out io.Writer, clean func(string) string) {
	Watch(ctx, patience, func(path string) {
		fmt.Fprintln(out, "connsync: "+clean(fmt.Sprintf("waiting for %s, which has not answered for %v", path, patience)))
	})
}

// Watch calls say with each path that one system call of this
// process has waited for longer than patience, once, until ctx ends.
func Watch(ctx context.Context, patience time.Duration, say func(path string)) {
	tick := time.NewTicker(patience / 5)
	defer tick.Stop()
	since := map[string]time.Time{} // by thread and what it waits in
	told := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			waits := waiting()
			for wait := range since {
				if !slices.Contains(waits, wait) {
					delete(since, wait)
				}
			}
			for _, wait := range waits {
				if since[wait].IsZero() {
					since[wait] = now
				}
				if now.Sub(since[wait]) < patience {
					continue
				}
				if path := pathOf(wait); path != "" && !told[path] {
					told[path] = true
					say(path)
				}
			}
		}
	}
}

// waiting returns of each thread that waits in a system call the thread and the call with its
// arguments, as /proc shows them; proc_pid_syscall(5).
func waiting() (waits []string) {
	threads, _ := os.ReadDir("/proc/self/task") // without it nothing is said
	for _, thread := range threads {
		line, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/syscall")
		if err == nil && bytes.IndexByte(line, ' ') > 0 {
			waits = append(waits, thread.Name()+" "+strings.TrimSpace(string(line)))
		}
	}
	return waits
}

// statCalls are the numbers of fstatat(2), which has another name on each architecture.
var statCalls = map[string]int{"amd64": 262, "arm64": 79}

// pathOf is the path that a system call waits for; blank where it waits for no file.
func pathOf(wait string) string {
	words := strings.Fields(wait)
	if len(words) < 4 {
		return "" // "running", or outside of a system call
	}
	number, err := strconv.Atoi(words[1])
	first, firstErr := strconv.ParseUint(words[2], 0, 64)
	second, secondErr := strconv.ParseUint(words[3], 0, 64)
	if err != nil || firstErr != nil || secondErr != nil {
		return ""
	}
	switch number {
	case unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT,
		unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_READLINKAT, unix.SYS_STATX, statCalls[runtime.GOARCH]:
		return named(int32(first), second)
	case unix.SYS_STATFS, unix.SYS_LISTXATTR, unix.SYS_GETXATTR:
		return named(unix.AT_FDCWD, first)
	case unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_FSYNC, unix.SYS_GETDENTS64, unix.SYS_FSTAT,
		unix.SYS_FCHMOD, unix.SYS_FCHOWN, unix.SYS_FTRUNCATE, unix.SYS_FSETXATTR:
		// Input and output may wait for somebody, and so may a terminal.
		if path := opened(int32(first)); first > 2 && filepath.IsAbs(path) && !strings.HasPrefix(path, "/dev/") {
			return path
		}
	}
	return ""
}

// opened is what a descriptor is open for.
func opened(fd int32) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) // blank where it is closed
	return path
}

// named is the path at an address of this process, which the kernel was given.
func named(dir int32, address uint64) string {
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return ""
	}
	defer memory.Close()
	text := make([]byte, unix.PathMax)
	n, _ := memory.ReadAt(text, int64(address)) // it may end before that
	end := bytes.IndexByte(text[:n], 0)
	if end <= 0 {
		return ""
	}
	path := string(text[:end])
	if !filepath.IsAbs(path) && dir != unix.AT_FDCWD {
		path = filepath.Join(opened(dir), path)
	}
	return path
}
