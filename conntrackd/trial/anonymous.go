package trial

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/hostfile"
	"connsync/trust"
)

// The files and directories of a trial have no name in any directory: they are
// in memory behind a file descriptor, and gone with the processes that use them,
// however those end.

// firstExtra is the descriptor that the first of a command's ExtraFiles has in
// the program that it starts.
const firstExtra = 3

// inherited is the path of a program's own descriptor.
func inherited(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// anonymousFile holds content and has no name. The caller closes it.
func anonymousFile(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("connsync", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", hostfile.Explain("/", err))
	}
	f := os.NewFile(uintptr(fd), "memory")
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, fmt.Errorf("write a file in memory: %w", hostfile.Explain(inherited(fd), err))
	}
	return f, nil
}

// anonymousDirectory is an empty file system that is mounted nowhere, which
// needs CAP_SYS_ADMIN. done ends it. A kernel before 5.2 has no such thing: there
// it is a temporary directory, which a kill leaves behind.
func anonymousDirectory() (dir *os.File, done func(), err error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) {
		return temporaryDirectory()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a file system in memory: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, nil, fmt.Errorf("make a file system in memory: %w", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("make a file system in memory: %w", err)
	}
	dir = os.NewFile(uintptr(root), "memory")
	return dir, func() { dir.Close() }, nil
}

func temporaryDirectory() (dir *os.File, done func(), err error) {
	path, err := trust.TemporaryDirectory("connsync-")
	if err != nil {
		return nil, nil, err
	}
	if dir, err = os.Open(path); err != nil {
		os.RemoveAll(path)
		return nil, nil, err
	}
	return dir, func() { dir.Close(); os.RemoveAll(path) }, nil
}
