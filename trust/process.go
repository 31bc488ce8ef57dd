package trust

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Runs says whether process pid is one that root or the caller started, from an
// executable that is root's, the caller's, or the program; blank is none. One that is
// setuid proves nothing, since anybody may start it, under a name of his choice, and it may
// give itself every user ID of root's. Its name
// and its command line prove nothing: look at them afterwards. The executable is
// the file itself, so it may have been replaced since, or lie under another root
// directory. A process that has ended is none. The error is a permission error
// where only root can see the executable of a process of root's.
func Runs(pid int, program string) (bool, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil || !usersTrusted(status) {
		return false, nil
	}
	executable, err := os.Stat(dir + "exe")
	if err != nil {
		if os.IsPermission(err) {
			return false, err
		}
		return false, nil // it has ended, or is a thread of the kernel's
	}
	return executableTrusted(executable, program), nil
}

// Named returns the PIDs, in no particular order, of the processes that [HasName] says have
// this name.
func Named(name string) ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry); err == nil && HasName(pid, name) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// HasName says whether /proc shows process pid under exactly this name, of at most 15 bytes;
// proc_pid_comm(5). A name proves nothing: [Runs] says more. It costs three system calls, and
// reads no memory of the process's, which could make the reader wait.
func HasName(pid int, name string) bool {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/comm", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var comm [32]byte
	n, err := unix.Read(fd, comm[:])
	return err == nil && string(comm[:n]) == name+"\n"
}

// usersTrusted reads the line of the real, the effective and two more user IDs in
// /proc/PID/status. The real one is another's where a program is setuid.
func usersTrusted(status []byte) bool {
	for line := range bytes.Lines(status) {
		rest, found := bytes.CutPrefix(line, []byte("Uid:"))
		if !found {
			continue
		}
		fields := bytes.Fields(rest)
		for _, field := range fields {
			if uid, err := strconv.Atoi(string(field)); err != nil || uid != 0 && uid != os.Geteuid() {
				return false
			}
		}
		return len(fields) == 4
	}
	return false
}

func executableTrusted(executable fs.FileInfo, program string) bool {
	owner := int(executable.Sys().(*syscall.Stat_t).Uid)
	if (owner == 0 || owner == os.Geteuid()) && executable.Mode()&(0o002|fs.ModeSetuid) == 0 {
		return true
	}
	if program == "" {
		return false
	}
	installed, err := os.Stat(program)
	return err == nil && os.SameFile(executable, installed)
}

// Service returns the service of systemd's that process pid belongs to, such as
// keepalived.service, blank for none. Only root can put a process there. A service of
// a user's manager is none.
func Service(pid int) string {
	cgroups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	return serviceOf(string(cgroups))
}

// OtherService is [Service], blank where that is this process's own service too, such as
// cron.service: stopping it would stop this process.
func OtherService(pid int) string { return otherService(Service(pid), Service(os.Getpid())) }

func otherService(theirs, own string) string {
	if theirs == own {
		return ""
	}
	return theirs
}

// serviceOf reads /proc/PID/cgroup; cgroups(7). Beneath the service's own group
// anybody it was given to may have made others, of any name.
func serviceOf(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		if number != "0" && controllers != "name=systemd" || !strings.HasPrefix(path, "/system.slice/") {
			continue
		}
		for _, part := range strings.Split(path, "/") {
			if strings.HasSuffix(part, ".service") {
				return part
			}
		}
	}
	return ""
}
