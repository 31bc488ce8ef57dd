package trust

import (
	"math"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// CloseInChildren has no program that is started inherit what the caller of this process
// has left open behind standard input, output and error: a lock or the end of a pipe would
// be held as long as a daemon runs.
func CloseInChildren() {
	if unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	list, err := os.ReadDir("/proc/self/fd") // Linux before 5.11
	if err != nil {
		return
	}
	for _, e := range list {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// usualLimits are those of a service that are not this process's own business: what its
// caller may spend is not what a daemon may that goes on. They are the kernel's defaults.
func usualLimits() map[int]unix.Rlimit {
	none := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	return map[int]unix.Rlimit{
		unix.RLIMIT_CPU: none, unix.RLIMIT_FSIZE: none, unix.RLIMIT_DATA: none, unix.RLIMIT_AS: none, unix.RLIMIT_RSS: none,
		unix.RLIMIT_LOCKS: none, unix.RLIMIT_RTTIME: none, unix.RLIMIT_STACK: {Cur: 8 << 20, Max: unix.RLIM_INFINITY},
		unix.RLIMIT_NOFILE: {Cur: usualFiles, Max: 4096},
	}
}

const usualFiles = 1024

var starting sync.Mutex

// Start starts a program that starts a daemon, or is one: with the limits that a service
// has by default, where the caller of this process has lower ones, as far as this process
// may raise them. Its own limits are as before then.
func Start(cmd *exec.Cmd) error {
	starting.Lock()
	defer starting.Unlock()
	for resource, usual := range usualLimits() {
		var own unix.Rlimit
		if unix.Getrlimit(resource, &own) != nil {
			continue
		}
		raised := unix.Rlimit{Cur: max(own.Cur, usual.Cur), Max: max(own.Max, usual.Max)}
		if resource == unix.RLIMIT_NOFILE {
			raised.Cur = usual.Cur // Go has raised this process's to the hard limit
			own.Cur = min(own.Max, usual.Cur)
		}
		if unix.Setrlimit(resource, &raised) != nil { // only root may raise the hard limit
			raised = unix.Rlimit{Cur: min(raised.Cur, own.Max), Max: own.Max}
			if unix.Setrlimit(resource, &raised) != nil {
				continue
			}
		}
		defer func() { _ = unix.Setrlimit(resource, &own) }()
	}
	return cmd.Start()
}

// Run is [Start], and waits for the program's end as [exec.Cmd.Run] does.
func Run(cmd *exec.Cmd) error {
	if err := Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}
