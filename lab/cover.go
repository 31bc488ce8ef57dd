package lab

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Covered runs fn on a thread for which a file with that content, an executable one
// unless it is empty, stands in the place of the files at paths. Goroutines that fn
// starts see the host's own files.
func Covered(content string, fn func() error, paths ...string) error {
	return onThread(func() error {
		if err := Cover(content, paths...); err != nil {
			return err
		}
		return fn()
	})
}

// Cover is [Covered] for the rest of the calling thread's life, which has to be one
// that ends soon, such as in [Namespace.Do].
func Cover(content string, paths ...string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	syscall.ForkLock.RLock() // what is forked while it is open keeps it from being run
	defer syscall.ForkLock.RUnlock()
	f, err := os.CreateTemp("", "connsync-cover-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	if content != "" {
		err = errors.Join(err, f.Chmod(0o755))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, path := range paths {
		if err := unix.Mount(f.Name(), path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cover %s: %w", path, err)
		}
	}
	return nil
}
