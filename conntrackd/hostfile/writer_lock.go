package hostfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// BusyError means that another process is saving.
type BusyError struct {
	PID int // zero when it is not known
}

// Error names the process where it is known.
func (e *BusyError) Error() string {
	if e.PID == 0 {
		return "another connsync is saving just now"
	}
	return fmt.Sprintf("another connsync is saving just now (process %d)", e.PID)
}

// writing counts the writer's locks that this process holds, and what it has begun and
// ends: as the lock is the process's, so is the number.
var writing atomic.Int32

// Writing says whether this process holds a writer's lock, or ends what it has begun: it
// is not to be cut short then.
func Writing() bool { return writing.Load() > 0 }

// Whole has [Writing] say until end is called that something is ended which takes no
// writer's lock, such as a failover.
func Whole() (end func()) {
	writing.Add(1)
	return sync.OnceFunc(func() { writing.Add(-1) })
}

// Looking has [Writing] not count the lock of a writer that has changed nothing yet, until end
// is called: should a file system not answer meanwhile, the process may be cut short.
func Looking() (end func()) {
	writing.Add(-1)
	return sync.OnceFunc(func() { writing.Add(1) })
}

// writerLock is the lock of one writer, as long as it is open.
type writerLock struct {
	file *os.File
	once sync.Once
}

// Close gives the lock back at once, even while a program that this process is
// just starting still has the file open. A second Close does nothing.
func (l *writerLock) Close() (err error) {
	l.once.Do(func() { err = l.release() })
	return err
}

func (l *writerLock) release() error {
	defer writing.Add(-1)
	return errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close())
}

const lockName = "lock"

// LockObstacle says what would keep [LockWriter] from taking the lock, another writer
// apart; nil where nothing is seen. It writes nothing.
func LockObstacle(runtimeDir string) error { return ownObstacle(runtimeDir, lockName) }

// LockWriter takes the lock that every writer holds, until it is closed or the
// process ends. It is a file in runtimeDir, which is made when missing. It does not
// wait: the error is a *[BusyError] when somebody else is writing.
func LockWriter(runtimeDir string) (io.Closer, error) {
	f, err := OpenOwn(runtimeDir, lockName, os.O_RDWR)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		err = onlyRoot(runtimeDir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", filepath.Join(runtimeDir, lockName), err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder := make([]byte, 16)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		pid, _ := strconv.Atoi(strings.TrimSpace(string(holder[:n]))) // zero when unreadable
		return nil, &BusyError{PID: pid}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), Explain(f.Name(), err))
	}
	writing.Add(1)
	return &writerLock{file: f}, nil
}
