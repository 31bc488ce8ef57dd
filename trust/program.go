package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// SystemPath is the PATH of every program that is run: only root can put programs
// there. The PATH of this process is not looked at.
const SystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ProgramError says why a program is not run although it is there: somebody else
// than root and the effective user could have put another in its place.
type ProgramError struct {
	Program string // its path
	*OwnerError
}

// Error names the program and what about its path is wrong.
func (e *ProgramError) Error() string {
	return fmt.Sprintf("%s is not run: %v", e.Program, e.OwnerError)
}

// Unwrap returns the [OwnerError].
func (e *ProgramError) Unwrap() error { return e.OwnerError }

// Program returns the path of a program: the first of that name in [SystemPath]
// that nobody but root and the effective user can change, or name itself where it
// has a slash. The error is a *[ProgramError] where the only ones could be changed
// by others, else an [exec.ErrNotFound].
func Program(name string) (string, error) {
	paths := []string{name}
	if !strings.Contains(name, "/") {
		paths = nil
		for _, dir := range filepath.SplitList(SystemPath) {
			paths = append(paths, filepath.Join(dir, name))
		}
	} else if !filepath.IsAbs(name) {
		return "", fmt.Errorf("%s is not run: give its absolute path", name)
	}
	var refused error
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		err = Path(path)
		if err == nil {
			return path, nil
		}
		var owner *OwnerError
		if errors.As(err, &owner) {
			err = &ProgramError{Program: path, OwnerError: owner}
		}
		if refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// Command prepares to run a program as [Program] finds it, in the root directory and
// with the environment of [Environment]. What Program refuses is the error of its
// start.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Path, cmd.Err = Program(name) // with an error it does not start
	cmd.Env = Environment()
	cmd.Dir = "/"
	// A child of its own may have kept its output open; a slow host may not have
	// read it yet.
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Environment is the environment of the programs that are run. It leaves out what
// would change their words, where they look for programs, and what would make them
// talk to the service manager of this process (NOTIFY_SOCKET, WATCHDOG_USEC).
func Environment() []string { return []string{"PATH=" + SystemPath, "LC_ALL=C", "HOME=/"} }

// Path says whether only root and the effective user can change what stands at an
// absolute path: the file, every directory above it, and every link on the way. In
// a directory whose sticky bit is set others cannot change what is not theirs. The
// error is an *[OwnerError], or says why it could not be seen.
func Path(path string) error {
	pending := strings.Split(path, "/")
	at := "/"
	for links := 0; ; {
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			if links++; links > 40 { // the kernel's own limit
				return &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
			}
			target, err := os.Readlink(at)
			if err != nil {
				return err
			}
			pending = append(strings.Split(target, "/"), pending...)
			at = filepath.Dir(at)
			if filepath.IsAbs(target) {
				at = "/"
			}
		} else if err := OwnedInfo(at, info); err != nil {
			return err
		}
		for len(pending) > 0 && (pending[0] == "" || pending[0] == ".") {
			pending = pending[1:]
		}
		if len(pending) == 0 {
			return nil
		}
		at = filepath.Join(at, pending[0])
		pending = pending[1:]
	}
}
