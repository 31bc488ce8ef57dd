package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// systemCall is a system call of a traced program that concerns a file of the
// watched directories.
type systemCall struct {
	name string // such as renameat
	on   string // the files; temporary names are made equal
}

func (c systemCall) String() string { return c.name + " " + c.on }

// mayChange reports whether the call can change anything on a disk.
func (c systemCall) mayChange() bool {
	switch c.name {
	case "openat":
		return strings.HasSuffix(c.on, " (create)")
	case "write", "pwrite64", "fsync", "ftruncate", "fchmod", "fchmodat", "fchown", "fchownat", "fsetxattr",
		"renameat", "renameat2", "unlinkat", "mkdirat", "linkat", "symlinkat":
		return true
	}
	return false
}

// tracer runs a program and stops it at every system call of any of its
// threads, as strace does, whose own injection counts each thread alone: a
// goroutine moves between threads.
type tracer struct {
	dirs     []string // what is watched
	children bool     // watch signals and the start of other programs too
	// at is asked before each call is made, with its number from 0: whether to
	// kill the program instead, or which error to give in its place.
	at func(number int, c systemCall) (kill bool, fail syscall.Errno)

	calls  []systemCall
	files  map[uint64]string // open descriptors of files in dirs
	inside map[int]pending   // threads in a call
}

// pending is what is to happen at the end of a thread's call.
type pending struct {
	call   systemCall
	opens  string // the path, if the call opens one
	closes bool
	fd     uint64
	fail   syscall.Errno
}

// run runs cmd to its end and returns what it printed and its exit status, -1
// when it was killed. The calling goroutine has to be on a thread of its own,
// as in [lab.Node.Enter].
func (tr *tracer) run(cmd *exec.Cmd) (printed string, status int, err error) {
	out, err := os.CreateTemp("", "connsync-trace-")
	if err != nil {
		return "", 0, err
	}
	defer out.Close()
	os.Remove(out.Name())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	tr.calls, tr.files, tr.inside = nil, map[uint64]string{}, map[int]pending{}
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	if status, err = tr.follow(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return "", 0, err
	}
	_ = cmd.Process.Release()
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	text, err := io.ReadAll(out)
	return string(text), status, err
}

func (tr *tracer) follow(pid int) (status int, err error) {
	// What this thread has started and is in the program's own process group:
	// other tests have children too, and some of them were this thread's.
	const children = unix.WALL | unix.WNOTHREAD
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, children, nil); err != nil {
		return 0, fmt.Errorf("wait for the exec: %w", err)
	}
	// Threads are followed, called programs are not.
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
		return 0, fmt.Errorf("trace: %w", err)
	}
	if err := unix.PtraceSyscall(pid, 0); err != nil {
		return 0, fmt.Errorf("trace: %w", err)
	}
	for {
		tid, err := unix.Wait4(-pid, &ws, children, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for the program: %w", err)
		case ws.Exited() && tid == pid:
			return ws.ExitStatus(), nil
		case ws.Signaled() && tid == pid:
			return -1, nil
		case !ws.Stopped():
			continue
		}
		signal := 0
		switch stop := ws.StopSignal(); {
		case stop == unix.SIGTRAP|0x80:
			if err := tr.atCall(pid, tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return 0, err
			}
		case stop == unix.SIGTRAP, stop == unix.SIGSTOP: // an event, or a thread's beginning
		default:
			signal = int(stop)
		}
		if err := unix.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return 0, fmt.Errorf("trace: %w", err)
		}
	}
}

// atCall is the entry or the end of a system call of a thread.
func (tr *tracer) atCall(pid, tid int) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	if p, ends := tr.inside[tid]; ends {
		delete(tr.inside, tid)
		return tr.ends(tid, p, regs)
	}
	p, watched := tr.begins(tid, regs)
	tr.inside[tid] = p
	if p.closes {
		// Now, not at its end: another thread may get the number before that.
		delete(tr.files, p.fd)
	}
	if !watched {
		return nil
	}
	number := len(tr.calls)
	tr.calls = append(tr.calls, p.call)
	if tr.at == nil {
		return nil
	}
	kill, fail := tr.at(number, p.call)
	if kill {
		return unix.Kill(pid, unix.SIGKILL)
	}
	if fail == 0 {
		return nil
	}
	p.fail = fail
	tr.inside[tid] = p
	if p.closes {
		return nil // it closes all the same, as close does
	}
	regs.Orig_rax = ^uint64(0) // no such call: nothing is done
	return unix.PtraceSetRegs(tid, &regs)
}

func (tr *tracer) ends(tid int, p pending, regs unix.PtraceRegs) error {
	switch {
	case p.fail != 0:
		regs.Rax = uint64(-int64(p.fail))
		return unix.PtraceSetRegs(tid, &regs)
	case p.opens != "" && int64(regs.Rax) >= 0:
		tr.files[regs.Rax] = p.opens
	}
	return nil
}

// The calls that name files, by the places of the names; and those that take
// a descriptor first.
var (
	pathCalls = map[uint64]struct {
		name  string
		paths []int
	}{
		unix.SYS_OPENAT: {"openat", []int{1}}, unix.SYS_NEWFSTATAT: {"newfstatat", []int{1}}, unix.SYS_STATX: {"statx", []int{1}},
		unix.SYS_READLINKAT: {"readlinkat", []int{1}}, unix.SYS_UNLINKAT: {"unlinkat", []int{1}}, unix.SYS_MKDIRAT: {"mkdirat", []int{1}},
		unix.SYS_RENAMEAT: {"renameat", []int{1, 3}}, unix.SYS_RENAMEAT2: {"renameat2", []int{1, 3}}, unix.SYS_LINKAT: {"linkat", []int{1, 3}},
		unix.SYS_SYMLINKAT: {"symlinkat", []int{2}}, unix.SYS_FCHMODAT: {"fchmodat", []int{1}}, unix.SYS_FCHOWNAT: {"fchownat", []int{1}},
		unix.SYS_FACCESSAT: {"faccessat", []int{1}}, unix.SYS_FACCESSAT2: {"faccessat2", []int{1}},
		unix.SYS_LISTXATTR: {"listxattr", []int{0}}, unix.SYS_GETXATTR: {"getxattr", []int{0}}, unix.SYS_STAT: {"stat", []int{0}},
		unix.SYS_LSTAT: {"lstat", []int{0}}, unix.SYS_OPEN: {"open", []int{0}}, unix.SYS_RENAME: {"rename", []int{0, 1}},
		unix.SYS_UNLINK: {"unlink", []int{0}}, unix.SYS_READLINK: {"readlink", []int{0}}, unix.SYS_MKDIR: {"mkdir", []int{0}},
	}
	fileCalls = map[uint64]string{
		unix.SYS_READ: "read", unix.SYS_WRITE: "write", unix.SYS_PREAD64: "pread64", unix.SYS_PWRITE64: "pwrite64", unix.SYS_CLOSE: "close",
		unix.SYS_FSTAT: "fstat", unix.SYS_LSEEK: "lseek", unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_FTRUNCATE: "ftruncate",
		unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHOWN: "fchown", unix.SYS_FLOCK: "flock", unix.SYS_FCNTL: "fcntl", unix.SYS_GETDENTS64: "getdents64",
		unix.SYS_FSETXATTR: "fsetxattr", unix.SYS_FGETXATTR: "fgetxattr", unix.SYS_FLISTXATTR: "flistxattr", unix.SYS_IOCTL: "ioctl",
	}
)

var temporary = regexp.MustCompile(`\.connsync-[A-Z2-7]+`)

func (tr *tracer) begins(tid int, regs unix.PtraceRegs) (p pending, watched bool) {
	args := [...]uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9}
	if name, ok := fileCalls[regs.Orig_rax]; ok {
		path, ok := tr.files[args[0]]
		p = pending{call: systemCall{name, path}, closes: name == "close", fd: args[0]}
		return p, ok
	}
	switch {
	case !tr.children:
	case regs.Orig_rax == unix.SYS_KILL:
		return pending{call: systemCall{"kill", unix.SignalName(unix.Signal(args[1]))}}, true
	case regs.Orig_rax == unix.SYS_CLONE && args[0]&unix.CLONE_VFORK != 0:
		return pending{call: systemCall{"clone", "another program"}}, true
	}
	if regs.Orig_rax == unix.SYS_EPOLL_CTL {
		path, ok := tr.files[args[2]]
		return pending{call: systemCall{"epoll_ctl", path}}, ok
	}
	named, ok := pathCalls[regs.Orig_rax]
	if !ok {
		return p, false
	}
	var paths []string
	for _, i := range named.paths {
		path, err := textAt(tid, args[i])
		if err != nil {
			return p, false // it will fail with EFAULT
		}
		watched = watched || tr.watches(path)
		paths = append(paths, temporary.ReplaceAllString(path, ".connsync-*"))
	}
	p.call = systemCall{named.name, strings.Join(paths, " to ")}
	if named.name == "openat" && watched {
		p.opens = paths[0]
		if args[2]&unix.O_CREAT != 0 {
			p.call.on += " (create)"
		}
	}
	return p, watched
}

func (tr *tracer) watches(path string) bool {
	for _, dir := range tr.dirs {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// textAt reads a string of the program's memory.
func textAt(tid int, address uint64) (string, error) {
	var s []byte
	for {
		chunk := make([]byte, 64)
		n, err := unix.PtracePeekData(tid, uintptr(address)+uintptr(len(s)), chunk)
		if end := bytes.IndexByte(chunk[:n], 0); end >= 0 {
			return string(append(s, chunk[:end]...)), nil
		}
		if err != nil || n == 0 || len(s) > unix.PathMax {
			return "", fmt.Errorf("read the program's memory: %w", err)
		}
		s = append(s, chunk[:n]...)
	}
}

// straced are the calls on files of dirs as strace itself counts them, by name.
func straced(t *testing.T, cmd *exec.Cmd, dirs []string) map[string]int {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	args := append([]string{"-f", "-yy", "-s", "4096", "-o", log, cmd.Path}, cmd.Args[1:]...)
	traced := exec.Command("strace", args...)
	traced.Dir, traced.Env = cmd.Dir, cmd.Env
	if out, err := traced.CombinedOutput(); err != nil {
		t.Fatalf("strace: %v\n%s", err, out)
	}
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return countCalls(string(content), dirs)
}

var tracedCall = regexp.MustCompile(`^\d+ +(\w+)\((.*)`)

func countCalls(log string, dirs []string) map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(log) {
		found := tracedCall.FindStringSubmatch(line)
		if found == nil {
			continue // a signal, or the end of a call whose beginning was counted
		}
		name, rest := found[1], found[2]
		arguments, _, _ := strings.Cut(rest, " = ")
		if name == "execve" {
			continue
		}
		for _, dir := range dirs {
			// Quoted or behind a descriptor, and not in the text that is written.
			if name == "write" || name == "read" || name == "pwrite64" {
				arguments, _, _ = strings.Cut(arguments, ",")
			}
			if strings.Contains(arguments, `"`+dir) || strings.Contains(arguments, "<"+dir) {
				counts[name]++
				break
			}
		}
	}
	return counts
}
