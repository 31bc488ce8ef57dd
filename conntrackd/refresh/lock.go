package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
	"connsync/trust"
)

// Status is what a refresh that runs says of itself.
type Status struct {
	PID      int           `json:"pid"`
	Interval time.Duration `json:"interval_ns"`
	Lifetime time.Duration `json:"lifetime_ns"` // the shortest of an entry without a packet
	// Idle says why no entry needs a refresh at the moment; blank where one does.
	Idle      string    `json:"idle,omitempty"`
	Looked    time.Time `json:"looked"` // the last time; zero for none yet
	Entries   int       `json:"entries"`
	Due       int       `json:"due"`
	Refreshed int       `json:"refreshed"`
	Error     string    `json:"error,omitempty"` // of the last look
}

// lockName is the file in the runtime directory that a refresh holds locked. It
// has the Status.
const lockName = "refresh.lock"

// maxStatusBytes is far above any Status.
const maxStatusBytes = 64 << 10

// RunningError means that another refresh runs on this node.
type RunningError struct{ Status Status }

// Error names the process.
func (e *RunningError) Error() string {
	return fmt.Sprintf("another connsync refresh runs (process %d)", e.Status.PID)
}

// lockPatience is how long lock tries: [Running] holds the lock for a moment, too.
const lockPatience = time.Second

// justBegun is a [Status.Idle].
const justBegun = "it has just begun"

// lock makes this the only refresh of the node, and writes its PID into the file.
func lock(ctx context.Context, runtimeDir string) (*os.File, error) {
	f, err := hostfile.OpenOwn(runtimeDir, lockName, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("take the refresh lock: %w", err)
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(awaitPause) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || ctx.Err() != nil || time.Now().After(end) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		status, _ := readStatus(f)
		f.Close()
		return nil, &RunningError{status}
	}
	if err == nil {
		err = writeStatus(f, Status{PID: os.Getpid(), Idle: justBegun})
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("take the refresh lock: %w", err)
	}
	return f, nil
}

func readStatus(f *os.File) (s Status, err error) {
	content, err := io.ReadAll(io.NewSectionReader(f, 0, maxStatusBytes))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(content, &s)
}

func writeStatus(f *os.File, s Status) error {
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	content = append(content, '\n')
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(content)))
}

// Running returns what the refresh of this node says of itself, nil where none
// runs. It needs root.
func Running(runtimeDir string) (*Status, error) {
	path := filepath.Join(runtimeDir, lockName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	content, err := trust.ReadFile(path, maxStatusBytes)
	if err != nil {
		return nil, fmt.Errorf("look for a refresh: %w", err)
	}
	f, err := hostfile.OpenOwn(runtimeDir, lockName, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("look for a refresh: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	switch {
	case err == nil:
		return nil, nil
	case !errors.Is(err, unix.EWOULDBLOCK):
		return nil, fmt.Errorf("look for a refresh: %w", err)
	}
	s := &Status{}
	if err := json.Unmarshal(content, s); err != nil {
		// It has just begun, or writes at this moment.
		if *s, err = readStatus(f); err != nil {
			return &Status{Idle: justBegun}, nil
		}
	}
	return s, nil
}

// stopPatience bounds how long a refresh may take to end: what runs beside it ends first,
// and breaks off at once.
const stopPatience = 5 * time.Second

// Stop ends the refresh of this node and waits until it has. None that runs is
// no error.
func Stop(ctx context.Context, runtimeDir string) error {
	told := false
	err := await(ctx, stopPatience, func() (bool, error) {
		s, err := Running(runtimeDir)
		if err == nil && s != nil && !told {
			told, err = terminate(s.PID, filepath.Join(runtimeDir, lockName))
		}
		return s == nil, err
	})
	if err != nil {
		return fmt.Errorf("stop refresh: %w", err)
	}
	return nil
}

// terminate sends SIGTERM to a process that has the lock file open. Another one is not
// touched: the file of a refresh that has just begun may name the one before, whose number
// may be another program's by now.
func terminate(pid int, lock string) (told bool, err error) {
	send := func() error { return unix.Kill(pid, unix.SIGTERM) } // Linux before 5.3 has no pidfd
	if process, err := unix.PidfdOpen(pid, 0); err == nil {
		defer unix.Close(process)
		send = func() error { return unix.PidfdSendSignal(process, unix.SIGTERM, nil, 0) }
	}
	if !hasOpen(pid, lock) {
		return false, nil
	}
	if err := send(); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, fmt.Errorf("process %d: %w", pid, err)
	}
	return true, nil
}

// hasOpen says whether a process has the file at path open. Who may not look, without
// CAP_SYS_PTRACE, believes so: the lock is held, and names its holder from the first moment on.
func hasOpen(pid int, path string) bool {
	file, err := os.Stat(path)
	if err != nil {
		return false
	}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	descriptors, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return true
	}
	return slices.ContainsFunc(descriptors, func(d fs.DirEntry) bool {
		// The name first: a look at another program's file may wait for a dead server.
		of := filepath.Join(dir, d.Name())
		if name, err := os.Readlink(of); err != nil || filepath.Base(name) != filepath.Base(path) {
			return errors.Is(err, fs.ErrPermission)
		}
		open, err := os.Stat(of)
		return err == nil && os.SameFile(open, file)
	})
}

// awaitPause is the time between two tries.
const awaitPause = 20 * time.Millisecond

func await(ctx context.Context, patience time.Duration, done func() (bool, error)) error {
	for end := time.Now().Add(patience); ; {
		ok, err := done()
		switch {
		case ok || err != nil:
			return err
		case time.Now().After(end):
			return fmt.Errorf("not done within %v", patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitPause):
		}
	}
}
