package service

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/shell"
	"connsync/trust"
)

// ElsewhereError says that a daemon is not that of the file, the network namespace or the
// service at hand.
type ElsewhereError struct {
	PID    int // of the daemon; zero where it is about one that would be started
	Cause  string
	Remedy string
}

// Error names the cause and what to do.
func (e *ElsewhereError) Error() string { return e.Cause + "; " + e.Remedy }

// Prove returns nil where process pid is a conntrackd daemon of this network namespace
// whose configuration file, as the daemon itself finds it from its root directory and in
// its mount namespace, holds exactly content; config is the name of that file here. The
// error is an *[ElsewhereError], or an [conntrackd.ErrCannotLook], as it is for a process
// that is no daemon (any more).
func Prove(pid int, config string, content []byte) error {
	p, err := daemonOf(pid)
	if err == nil {
		err = p.ofThisNetwork()
	}
	if err != nil {
		return err
	}
	seen, err := p.readSeen(config)
	switch {
	case err == nil && bytes.Equal(seen, content):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the file of conntrackd, process %d: %w", conntrackd.ErrCannotLook, pid, err)
	}
	if problem := p.otherFile(config); problem != nil {
		return problem
	}
	return &ElsewhereError{PID: pid, Cause: fmt.Sprintf("%s is not as it was saved any more: something wrote it anew, such as an ExecStartPre= of the unit, or a program that makes the file", config),
		Remedy: "have that write these settings, or take it away, and save again"}
}

// ServesHere says why the daemon that reads config serves another network namespace than the
// calling thread's: an *[ElsewhereError]. Where none does, or it is not seen, that is nil.
func ServesHere(config string) error {
	all, err := processes("")
	if err != nil {
		return nil
	}
	var elsewhere error
	for _, p := range all {
		if p.hidden || !p.reads(config) {
			continue
		}
		var other *ElsewhereError
		if !errors.As(p.ofThisNetwork(), &other) {
			return nil
		}
		elsewhere = other
	}
	return elsewhere
}

// daemonOf reads a daemon by its number.
func daemonOf(pid int) (process, error) {
	p, ok := readNamed(pid)
	if ok {
		p, ok = p.readCommand()
	}
	switch {
	case !ok:
		return p, fmt.Errorf("%w: process %d is no conntrackd daemon, so that its file is not known", conntrackd.ErrCannotLook, pid)
	case p.hidden:
		return p, fmt.Errorf("%w: only root can see which file conntrackd, process %d, reads", conntrackd.ErrCannotLook, pid)
	}
	return p, nil
}

// ofThisNetwork says why p serves another network namespace than the calling thread's.
func (p process) ofThisNetwork() error {
	network, _, err := OwnNamespaces()
	if err != nil || p.network == network {
		return err
	}
	remedy := fmt.Sprintf("run connsync there (nsenter --net=/proc/%d/ns/net connsync)", p.pid)
	if unit := trust.Service(p.pid); unit != "" {
		remedy += ", or have " + unit + " start it in this one"
	}
	return &ElsewhereError{PID: p.pid, Remedy: remedy,
		Cause: fmt.Sprintf("conntrackd (process %d) is in another network namespace, %s, than connsync, %s: it syncs the connections of that one", p.pid, p.network, network)}
}

// otherFile says why the file that p reads is not config; nil where it is.
func (p process) otherFile(config string) *ElsewhereError {
	switch {
	case p.reads(config):
		return nil
	case p.names(config):
		return &ElsewhereError{PID: p.pid, Cause: fmt.Sprintf("conntrackd (process %d) sees another file as %s than connsync: one of them runs in a chroot, or has that name mounted over (RootDirectory=, BindPaths= or BindReadOnlyPaths= of a unit, a container)", p.pid, config),
			Remedy: fmt.Sprintf("run connsync where that daemon runs (nsenter --target %d --mount --root connsync), or take the other root directory or the mount away and restart conntrackd", p.pid)}
	}
	return &ElsewhereError{PID: p.pid, Cause: fmt.Sprintf("conntrackd (process %d) runs with another file, %s, and not with %s", p.pid, p.config, config),
		Remedy: fmt.Sprintf("save that one (connsync --config %s), or have what starts it give -C %s", shell.Word(p.config), shell.Word(config))}
}

// names says whether p was given config by its name. A daemon that was given a relative
// one has left its directory, so there the ends must agree.
func (p process) names(config string) bool {
	given, config := filepath.Clean(p.config), filepath.Clean(config)
	if !filepath.IsAbs(given) {
		return strings.HasSuffix(config, "/"+strings.TrimPrefix(given, "./"))
	}
	return given == config
}

// given is where p finds its file, from its root directory.
func (p process) given(config string) string {
	if p.names(config) {
		return config
	}
	return p.config
}

// reads says whether the file of p is config: the same one, or in the same directory where
// there is none. Where that cannot be seen, the names decide.
func (p process) reads(config string) bool {
	theirs, err := statSeen(p.pid, p.given(config))
	own, ownErr := os.Stat(config)
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(ownErr, fs.ErrNotExist)
	switch {
	case err == nil && ownErr == nil:
		// Of a name that is mounted by itself, the file from before the last save stays.
		return theirs.Nlink == 0 && p.names(config) || sameInode(theirs, own)
	case missing && p.names(config):
		return sameDirectory(p.pid, filepath.Dir(config))
	case missing:
		return false
	}
	return p.names(config)
}

// readSeen reads the file of p.
func (p process) readSeen(config string) ([]byte, error) {
	fd, err := openSeen(p.pid, p.given(config))
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return trust.ReadFile("/proc/self/fd/"+strconv.Itoa(fd), conntrackd.MaxFileBytes)
}

// openSeen opens a path as process pid finds it, for a look at it alone (O_PATH): absolute
// links lead to where they lead that process.
func openSeen(pid int, path string) (int, error) {
	name := fmt.Sprintf("/proc/%d/root", pid)
	root, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(root, path, &how)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // Linux before 5.6, or a filter of system calls
		fd, err = unix.Openat(root, "./"+path, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name + path, Err: err}
	}
	return fd, nil
}

func statSeen(pid int, path string) (*unix.Stat_t, error) {
	fd, err := openSeen(pid, path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	return &stat, unix.Fstat(fd, &stat)
}

func sameInode(a *unix.Stat_t, b fs.FileInfo) bool {
	own, ok := b.Sys().(*syscall.Stat_t)
	return ok && a.Dev == own.Dev && a.Ino == own.Ino
}

// sameDirectory says whether process pid finds the same directory at path as this process
// does; of one that is missing here, the nearest above it. Where that cannot be seen, it is
// taken for the same.
func sameDirectory(pid int, path string) bool {
	own, err := os.Stat(path)
	for err != nil && path != "/" {
		path = filepath.Dir(path)
		own, err = os.Stat(path)
	}
	if _, unseen := os.Stat(fmt.Sprintf("/proc/%d/root", pid)); err != nil || unseen != nil {
		return true // nothing speaks against it
	}
	theirs, err := statSeen(pid, path)
	return err == nil && sameInode(theirs, own)
}
