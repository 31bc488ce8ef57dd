package keepalived

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// copyName is the file in memory in which keepalived keeps the configuration that it has
// loaded, with what it includes, to give it to its children. 2.2.7 was seen to write it at
// its start and at each reload, and to leave it open; older versions have none.
const copyName = "/memfd:/keepalived/consolidated_configuration"

// NotLoaded says that the running keepalived goes by another configuration than c, which
// was read from the disk; blank where it goes by c, or none runs. The error says why that
// cannot be told.
func (i Installation) NotLoaded(c *Config) (string, error) {
	if i.PID == 0 || len(c.Files) == 0 {
		return "", nil
	}
	changed, file, err := lastChange(c.Files)
	if err != nil {
		return "", err
	}
	const has = "keepalived, process %d, has not read %s since it changed"
	held, err := loadedCopy(i.PID)
	if held == "" {
		started, startErr := startOf(i.PID)
		if ended(startErr) || startErr == nil && !changed.After(started) {
			return "", nil
		}
		return "", fmt.Errorf("whether "+has+" cannot be seen: %w", i.PID, file, cmp.Or(startErr, err, errors.New("it keeps no copy of what it has read")))
	}
	info, err := os.Stat(held)
	if ended(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("whether "+has+" cannot be seen: %w", i.PID, file, err)
	}
	if !changed.After(info.ModTime()) {
		return "", nil
	}
	if loaded, err := loadWithin(held, i.ConfigID, c.Habits, maxSteps, maxBytes); err == nil && sameMoving(loaded, c) {
		return "", nil
	}
	return fmt.Sprintf(has, i.PID, file), nil
}

// ended says that an error of reading about a process means that there is none any more:
// what was found may have been a question to the program, as connsync asks it for its version.
func ended(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// NotLoaded is [Installation.NotLoaded] of the keepalived that is found, with the command
// that has it read its configuration.
func NotLoaded(c *Config) (why, reload string, err error) {
	installed, err := Find()
	if err != nil {
		return "", "", err
	}
	why, err = installed.NotLoaded(c)
	return why, fmt.Sprintf("kill -HUP %d", installed.PID), err
}

// lastChange is when the content, the owner or the name of one of the files changed last.
func lastChange(files []string) (at time.Time, of string, err error) {
	for _, path := range files {
		var stat unix.Stat_t
		if err := unix.Stat(path, &stat); err != nil {
			return at, "", &fs.PathError{Op: "stat", Path: path, Err: err}
		}
		if t := time.Unix(stat.Ctim.Unix()); of == "" || !t.Before(at) {
			at, of = t, path
		}
	}
	return at, of, nil
}

// loadedCopy is the path of the copy of a process; blank where it has none.
func loadedCopy(pid int) (string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if to, err := os.Readlink(path); err == nil && strings.TrimSuffix(to, " (deleted)") == copyName {
			return path, nil
		}
	}
	return "", nil
}

// sameMoving says that two configurations move the same addresses and call the same
// scripts, wherever that stands in them.
func sameMoving(a, b *Config) bool {
	return len(a.Unread) == 0 && len(b.Unread) == 0 && a.ScriptUser == b.ScriptUser && a.ScriptSecurity == b.ScriptSecurity && a.Fifo == b.Fifo &&
		reflect.DeepEqual(withoutPlace(a.Groups, a.Instances), withoutPlace(b.Groups, b.Instances))
}

func withoutPlace(groups []Group, instances []Instance) []any {
	var all []any
	placeless := func(of Scripts) Scripts {
		scripts := Scripts{}
		for e, s := range of {
			s.File, s.Line = "", 0
			scripts[e] = s
		}
		return scripts
	}
	for _, g := range groups {
		g.Line, g.Scripts = 0, placeless(g.Scripts)
		all = append(all, g)
	}
	for _, i := range instances {
		i.Line, i.Scripts = 0, placeless(i.Scripts)
		all = append(all, i)
	}
	return all
}

// startOf is when a process was started, by the clock of now (proc_pid_stat(5)).
func startOf(pid int) (time.Time, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return time.Time{}, err
	}
	// The name, which may hold anything, is in brackets before the third field.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	const start, hz = 22 - 3, 100
	if len(fields) <= start {
		return time.Time{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	ticks, err := strconv.ParseInt(fields[start], 10, 64)
	var up unix.Timespec
	if err == nil {
		err = unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)
	}
	return time.Now().Add(time.Duration(ticks)*time.Second/hz - time.Duration(up.Nano())), err
}
