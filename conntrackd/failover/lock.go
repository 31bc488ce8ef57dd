package failover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
)

// Clock is the clock of [Failover.Started]: the time since the host was booted,
// which nobody sets.
func Clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // every kernel since 2.6.39 has it
	}
	return time.Duration(ts.Nano())
}

// lock makes a call that started then the only one that speaks to the daemon, and leaves
// a note of it for others. later is the role of a call that started after it
// and came first. unlock is never nil.
func (f *Failover) lock(ctx context.Context, role Role, started time.Duration) (unlock func(), later Role, err error) {
	unlock = func() {}
	if f.RuntimeDir == "" {
		return unlock, "", nil
	}
	file, err := f.lockFile(ctx)
	if err != nil {
		return unlock, "", err
	}
	unlock = func() { file.Close() }
	if note, at := readNote(file); at > started && at <= Clock() {
		return unlock, note, nil
	}
	if err := writeNote(file, role, started); err != nil {
		return unlock, "", fmt.Errorf("take the failover lock: %w", hostfile.Explain(file.Name(), err))
	}
	return unlock, "", nil
}

// lockFile is the file with the note, locked until it is closed.
func (f *Failover) lockFile(ctx context.Context) (*os.File, error) {
	file, err := hostfile.OpenOwn(f.RuntimeDir, "failover.lock", os.O_RDWR)
	if err == nil {
		if err = waitLock(ctx, file); err == nil {
			return file, nil
		}
		file.Close()
	}
	return nil, fmt.Errorf("take the failover lock: %w", err)
}

func waitLock(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("another failover holds it")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// readNote returns the role and the time of the latest call, zero where there
// is none that can be read.
func readNote(file *os.File) (Role, time.Duration) {
	content, err := io.ReadAll(io.NewSectionReader(file, 0, 128))
	if err != nil {
		return "", 0
	}
	var role Role
	var at int64
	if _, err := fmt.Sscanf(string(content), "%s %d\n", &role, &at); err != nil {
		return "", 0
	}
	return role, time.Duration(at)
}

func writeNote(file *os.File, role Role, at time.Duration) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt(fmt.Appendf(nil, "%s %d\n", role, int64(at)), 0)
	return err
}
