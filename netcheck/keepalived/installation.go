package keepalived

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// Installation is the keepalived of this host.
type Installation struct {
	// Program is its path; blank where it is not installed.
	Program string
	// PID is a running keepalived's, that of its service or else the lowest where
	// there are several; zero where none runs. One in a container of this host does
	// not count.
	PID int
	// ConfigPath and ConfigID are what the running one was started with, or
	// what it would take by itself.
	ConfigPath string
	ConfigID   string
}

// Find looks for keepalived, as [trust.Program] does, and among the
// processes that see the same files as this one and that [trust.Runs] vouches for.
func Find() (Installation, error) {
	i := Installation{ConfigPath: defaultConfig}
	i.Program, _ = trust.Program("keepalived") // a running one is another's then, too
	host, err := os.Hostname()
	if err != nil {
		return i, err
	}
	i.ConfigID, _, _ = strings.Cut(host, ".")
	return i, i.findProcess()
}

func (i *Installation) findProcess() error {
	defaults := *i
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	pids, err := trust.Named("keepalived")
	if err != nil {
		return err
	}
	var hidden error
	service := false // the one that was found is a service's
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d", pid)
		// The command line comes last: another user's can make its reader wait.
		trusted, err := trust.Runs(pid, i.Program)
		if errors.Is(err, fs.ErrPermission) {
			hidden = fmt.Errorf("only root with CAP_SYS_PTRACE can see whether keepalived, process %d, is this host's", pid)
		}
		if !trusted || !trust.HasName(pid, "keepalived") {
			continue
		}
		// A process of the host's service is the host's, though this one or that one
		// may be in a mount namespace of its unit.
		served := strings.HasPrefix(trust.Service(pid), "keepalived")
		if space, err := os.Readlink(dir + "/ns/mnt"); err != nil || space != own && !served {
			continue
		}
		if i.PID != 0 && !preferred(pid, i.PID, served, service) {
			continue
		}
		command, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue
		}
		i.PID, service = pid, served
		i.ConfigPath, i.ConfigID = defaults.ConfigPath, defaults.ConfigID
		i.take(command)
	}
	if i.PID != 0 {
		return nil
	}
	return hidden
}

// preferred says whether a process stands for keepalived rather than another: one of
// its service before one that somebody has started by hand, the first one before its
// children.
func preferred(pid, other int, served, otherServed bool) bool {
	if served != otherServed {
		return served
	}
	return pid < other
}

// take reads the options of a command line as the kernel shows it, with a NUL
// after each word.
func (i *Installation) take(command []byte) {
	words := strings.Split(string(bytes.TrimSuffix(command, []byte{0})), "\x00")
	for n, w := range words {
		for _, option := range []struct {
			short, long string
			to          *string
		}{{"-f", "--use-file", &i.ConfigPath}, {"-i", "--config-id", &i.ConfigID}} {
			value, glued := strings.CutPrefix(w, option.short)
			switch long, isLong := strings.CutPrefix(w, option.long+"="); {
			case isLong:
				*option.to = long
			case (w == option.short || w == option.long) && n+1 < len(words):
				*option.to = words[n+1]
			case glued && value != "" && !strings.HasPrefix(w, "--"):
				*option.to = value
			}
		}
	}
}

// versionPatience is how long keepalived may take to say its version.
const versionPatience = 5 * time.Second

// Habits are what versions of keepalived do differently.
type Habits struct {
	// NoLinks says that it runs no script below a linked directory, with or without
	// enable_script_security: 2.3.3 and 2.3.4 were seen to run none ("Wrong file type
	// found in script path"), 2.2.7 does.
	NoLinks bool
	// EscapesOnce says that it reads the backslashes of a script's line when it cuts the
	// command into words, and not before that too: since 2.3.2.
	EscapesOnce bool
}

var (
	olderThanNoLinks     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^Keepalived v(?:[01]\.|2\.[0-2]\.)`) })
	olderThanEscapesOnce = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^Keepalived v(?:[01]\.|2\.[0-2]\.|2\.3\.[01]\b)`) })
)

// Habits asks the program for its version. One that does not say it counts among the
// newer ones.
func (i Installation) Habits(ctx context.Context) Habits {
	if i.Program == "" {
		return Habits{NoLinks: true, EscapesOnce: true}
	}
	ctx, cancel := context.WithTimeout(ctx, versionPatience)
	defer cancel()
	said, _ := trust.Command(ctx, i.Program, "--version").CombinedOutput()
	return Habits{NoLinks: !olderThanNoLinks().Match(said), EscapesOnce: !olderThanEscapesOnce().Match(said)}
}

// Direct is a path without the links among its directories. What cannot be followed
// stays as it is.
func Direct(path string) string {
	dir, err := filepath.EvalSymlinks(trust.Directory(path))
	if err != nil {
		return path
	}
	return filepath.Join(dir, filepath.Base(path))
}

// Refusal says why keepalived would not run a script as the user, as it is on
// disk now: the program is not there, may not be executed, stands below a linked
// directory, or, with enable_script_security and as root, may be changed by others.
// Blank means that nothing speaks against it.
func (c *Config) Refusal(s Script, user string) (string, error) {
	info, err := os.Stat(s.Program)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return s.Program + " does not exist", nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return s.Program + " cannot be executed", nil
	}
	if direct := Direct(s.Program); c.Habits.NoLinks && direct != filepath.Clean(s.Program) {
		return "keepalived 2.3 and newer run no script below a linked directory; write " + direct, nil
	}
	if !c.ScriptSecurity || user != "root" {
		return "", nil
	}
	return othersMayChange(s.Program)
}

// othersMayChange walks up from a file: each part of its path has to be root's,
// and not writable for others, unless it is a directory with the sticky bit.
func othersMayChange(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	for ; ; real = filepath.Dir(real) {
		var stat unix.Stat_t
		if err := unix.Stat(real, &stat); err != nil {
			return "", err
		}
		switch {
		case stat.Uid != 0:
			return real + " belongs to another user than root", nil
		case stat.Mode&unix.S_IWOTH != 0 && stat.Mode&unix.S_ISVTX == 0, stat.Gid != 0 && stat.Mode&unix.S_IWGRP != 0:
			return real + " can be written by others than root", nil
		}
		if real == "/" {
			return "", nil
		}
	}
}
