package emulator

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openDevices makes a directory for device nodes: a file system that is mounted
// nowhere and ends with the directory. On those of temporary files, as Debian has
// them since 13, nobody may open a device (nodev in mount(8)).
func openDevices() (*os.File, error) {
	context, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file system for devices: %w", err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, fmt.Errorf("make a file system for devices: %w", err)
	}
	fd, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("mount a file system for devices: %w", err)
	}
	return os.NewFile(uintptr(fd), "devices"), nil
}

// device opens a device by its number; /dev may lack it.
func device(devices *os.File, major, minor, mode int) (*os.File, error) {
	at, node := int(devices.Fd()), fmt.Sprintf("%d-%d", major, minor)
	if err := unix.Mknodat(at, node, unix.S_IFCHR|0o600, int(unix.Mkdev(uint32(major), uint32(minor)))); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &os.PathError{Op: "make device", Path: node, Err: err}
	}
	fd, err := unix.Openat(at, node, mode|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open device", Path: node, Err: err}
	}
	return os.NewFile(uintptr(fd), node), nil
}
