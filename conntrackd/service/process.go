package service

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/trust"
)

// defaultConfig is the file that the daemon reads without -C.
const defaultConfig = "/etc/conntrackd/conntrackd.conf"

// process is a running conntrackd daemon.
type process struct {
	pid, parent int
	session     int    // the process that leads its session
	config      string // as given to -C
	network     string // its network namespace, as /proc shows it
	mounts      string
	detached    bool   // it was started with -d, so that its parent did not start it
	hidden      bool   // only root can see which namespaces it is in
	program     string // what it was found as
	ticks       uint64 // start time in clock ticks since boot: tells reused PIDs apart
}

// processes returns the conntrackd daemons of this machine that /proc shows, whatever
// their namespaces, as far as [trust.Runs] vouches for them; binary is as in
// [FindBinary]. Zombies, one-shot clients and the children that a daemon forks for a dump
// are left out.
func processes(binary string) ([]process, error) {
	program, _ := FindBinary(binary) // blank where it is not installed
	pids, err := trust.Named("conntrackd")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
	}
	var all []process
	for _, pid := range pids {
		if p, ok := readProcess(pid, program); ok {
			all = append(all, p)
		}
	}
	var daemons []process
	for _, p := range all {
		if !slices.ContainsFunc(all, func(q process) bool { return q.pid == p.parent && q.config == p.config }) {
			daemons = append(daemons, p)
		}
	}
	return daemons, nil
}

// readProcess returns false for whatever is not a live daemon that [trust.Runs]
// vouches for.
func readProcess(pid int, program string) (process, bool) {
	p, ok := readNamed(pid)
	if !ok {
		return process{}, false
	}
	trusted, err := trust.Runs(pid, program)
	p.program, p.hidden = program, err != nil
	if !trusted && err == nil {
		return process{}, false
	}
	return p.readCommand()
}

// readNamed reads what the kernel says of a process with the daemon's name; false
// where there is none. It touches no memory of the process's, which can make
// whoever reads it wait.
func readNamed(pid int) (process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, false
	}
	// "pid (comm) state ppid ...", where comm may hold anything; proc(5).
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open || string(stat[open+1:end]) != "conntrackd" {
		return process{}, false
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return process{}, false
	}
	p := process{pid: pid}
	p.parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return process{}, false
	}
	if p.session, err = strconv.Atoi(fields[3]); err != nil {
		return process{}, false
	}
	if p.ticks, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return process{}, false
	}
	return p, true
}

// readCommand reads the command line and the namespaces.
func (p process) readCommand() (process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(p.pid))
	arguments, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	// A program that is just being started, or ending, has none yet or any more.
	if err != nil || len(arguments) == 0 {
		return process{}, false
	}
	var daemon bool
	words := strings.Split(strings.TrimSuffix(string(arguments), "\x00"), "\x00")
	p.config, daemon = daemonConfig(words)
	p.detached = slices.Contains(words, "-d")
	if !daemon {
		return process{}, false
	}
	p.network, err = os.Readlink(filepath.Join(dir, "ns/net"))
	if err == nil {
		p.mounts, err = os.Readlink(filepath.Join(dir, "ns/mnt"))
	}
	p.hidden = p.hidden || errors.Is(err, fs.ErrPermission)
	return p, err == nil || p.hidden
}

// daemonConfig reads a conntrackd command line: the configuration file, and
// whether it is a daemon's. Everything but -C and -d makes it a client.
func daemonConfig(arguments []string) (config string, daemon bool) {
	config = defaultConfig
	for i := 1; i < len(arguments); i++ {
		switch arguments[i] {
		case "-d":
		case "-C":
			if i++; i < len(arguments) {
				config = arguments[i]
			}
		default:
			return "", false
		}
	}
	return config, true
}

// started returns when the process started, to a hundredth of a second.
func (p process) started() (time.Time, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, fmt.Errorf("read the time since boot: %w", err)
	}
	// USER_HZ is 100 on every architecture that Go runs on.
	age := time.Duration(up.Nano()) - time.Duration(p.ticks)*(time.Second/100)
	return time.Now().Add(-age), nil
}

// lives says whether the same process is still there.
func (p process) lives() bool {
	now, ok := readProcess(p.pid, p.program)
	return ok && now.ticks == p.ticks
}

// exists is like lives for a process that is ending too: it has no command line any more,
// and may have its sockets.
func (p process) exists() bool {
	now, ok := readNamed(p.pid)
	return ok && now.ticks == p.ticks
}

// signal sends sig unless the process has ended. What is held open before the
// process is looked at is that process, and no later one with its number.
func (p process) signal(sig unix.Signal) error {
	send := func() error { return unix.Kill(p.pid, sig) } // Linux before 5.3 has no pidfd
	if fd, err := unix.PidfdOpen(p.pid, 0); err == nil {
		defer unix.Close(fd)
		send = func() error { return unix.PidfdSendSignal(fd, sig, nil, 0) }
	}
	if !p.lives() {
		return nil
	}
	err := send()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// sameFile compares two names of a configuration file. A daemon that was
// given a relative name has left its directory, so there the ends must agree.
func sameFile(given, config string) bool {
	if !filepath.IsAbs(given) {
		return strings.HasSuffix(filepath.Clean(config), "/"+strings.TrimPrefix(filepath.Clean(given), "./"))
	}
	if samePath(given, config) {
		return true
	}
	a, errA := os.Stat(given)
	b, errB := os.Stat(config)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// samePath says whether two names of a file are one, as the kernel reads them.
func samePath(a, b string) bool {
	fullA, errA := trust.Absolute(a)
	fullB, errB := trust.Absolute(b)
	return a == b || errA == nil && errB == nil && fullA == fullB
}

// Run names the run of the daemon with process pid, such as "347 81230": within a boot no
// other one has that name. It is false where there is no such daemon.
func Run(pid int) (name string, ok bool) {
	p, ok := readNamed(pid)
	return fmt.Sprint(p.pid, p.ticks), ok
}

// OwnNamespaces returns the network and mount namespace of the calling thread, as
// /proc shows them. An error is an [conntrackd.ErrCannotLook].
func OwnNamespaces() (network, mounts string, err error) {
	if network, err = os.Readlink("/proc/thread-self/ns/net"); err != nil {
		return "", "", fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
	}
	if mounts, err = os.Readlink("/proc/thread-self/ns/mnt"); err != nil {
		return "", "", fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
	}
	return network, mounts, nil
}

// Daemon is a running conntrackd.
type Daemon struct {
	PID    int    // as this host counts
	Config string // its configuration file, as it was given
}

// OtherDaemons returns the conntrackd daemons in this network namespace but the
// one with process mainPID. Two of them on one port both start, and the newer
// one gets all messages. An error is an [conntrackd.ErrCannotLook].
func OtherDaemons(mainPID int) ([]Daemon, error) {
	all, err := processes("")
	if err != nil {
		return nil, err
	}
	network, _, err := OwnNamespaces()
	if err != nil {
		return nil, err
	}
	var others []Daemon
	for _, p := range all {
		if p.pid == mainPID {
			continue
		}
		if p.hidden {
			return nil, fmt.Errorf("%w: only root with CAP_SYS_PTRACE can see whether conntrackd, process %d, is this host's", conntrackd.ErrCannotLook, p.pid)
		}
		if p.network == network {
			others = append(others, Daemon{PID: p.pid, Config: p.config})
		}
	}
	return others, nil
}

// ProcessLives reports whether the process pid, which is a service's by its manager,
// is a conntrackd daemon that runs; a zombie does not.
func ProcessLives(pid int) bool {
	p, ok := readNamed(pid)
	if ok {
		_, ok = p.readCommand()
	}
	return ok
}
