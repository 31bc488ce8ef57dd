package conntrackd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type changeKind string

const (
	changeFile   changeKind = "file"   // Path gets a content of ours
	changeDivert changeKind = "divert" // dpkg keeps its own Path at To
	changeSysctl changeKind = "sysctl" // Path, under /proc/sys, gets a value
	changeReload changeKind = "reload" // systemd reads its units again; nothing to undo
)

// change is one step of a preparation.
type change struct {
	kind    changeKind
	path    string
	to      string // changeDivert
	content []byte // changeFile, changeSysctl
	unit    bool   // systemd has to read its units again
	replace bool   // changeFile: what stands there may be replaced, since it is known
}

func (c change) key() string { return string(c.kind) + " " + c.path }

// command says what it does in shell words.
func (c change) command() string {
	switch c.kind {
	case changeDivert:
		return strings.Join(append([]string{"dpkg-divert"}, divertArguments("--add", c.path, c.to)...), " ")
	case changeSysctl:
		return "sysctl -w " + strings.ReplaceAll(strings.TrimPrefix(c.path, "/proc/sys/"), "/", ".") + "=" + string(c.content)
	}
	return "write " + c.path
}

func divertArguments(action, path, to string) []string {
	return []string{"--local", "--rename", "--divert", to, action, path}
}

// fileState is what has to come back of a file.
type fileState struct {
	Content []byte      `json:"content"`
	Mode    fs.FileMode `json:"mode"`
	UID     int         `json:"uid"`
	GID     int         `json:"gid"`
	ModTime time.Time   `json:"mod_time"`
}

// was is how a thing stood before a change.
type was struct {
	File  *fileState `json:"file,omitempty"`  // nil when there was none
	Value string     `json:"value,omitempty"` // of a sysctl
	// Directories are those that the change had to make, outermost first.
	Directories []string `json:"directories,omitempty"`
}

// undoStep is a change with what stood there before.
type undoStep struct {
	change change
	before was
}

// stateOf says whether a change is needed and may be made.
func (p *Preparer) stateOf(c change, r hostRecord) (ItemState, string) {
	switch c.kind {
	case changeReload:
		return ItemMissing, ""
	case changeSysctl:
		return p.sysctlState(c)
	case changeDivert:
		diverted, err := p.diverted(c.path)
		switch {
		case err != nil:
			return ItemUnknown, err.Error()
		case diverted == c.to:
			return ItemInPlace, ""
		case diverted != "":
			return ItemForeign, fmt.Sprintf("%s is diverted to %s by somebody else, and is left alone", c.path, diverted)
		}
		return ItemMissing, ""
	}
	info, err := os.Lstat(p.path(c.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ItemMissing, "there is no " + c.path
	case err != nil:
		return ItemUnknown, err.Error()
	case !info.Mode().IsRegular():
		return ItemForeign, c.path + " is no regular file, and is left alone"
	}
	content, err := os.ReadFile(p.path(c.path))
	switch {
	case err != nil:
		return ItemUnknown, err.Error()
	case bytes.Equal(content, c.content):
		return ItemInPlace, ""
	case r.ours(c, content):
		return ItemMissing, c.path + " is from other settings"
	case c.replace:
		return ItemMissing, ""
	}
	return ItemForeign, c.path + " was written or changed by somebody else, and is left alone"
}

func (p *Preparer) sysctlState(c change) (ItemState, string) {
	now, err := os.ReadFile(p.path(c.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ItemInPlace, "" // what is not there yet is set at boot
	case err != nil:
		return ItemUnknown, err.Error()
	case string(bytes.TrimSpace(now)) == string(c.content):
		return ItemInPlace, ""
	}
	return ItemMissing, fmt.Sprintf("%s is %s", filepath.Base(c.path), bytes.TrimSpace(now))
}

// diverted returns where dpkg keeps its own version of a path, blank when it
// is not diverted. The file has three lines an entry: path, other path, owner.
func (p *Preparer) diverted(path string) (string, error) {
	content, err := os.ReadFile(p.path("/var/lib/dpkg/diversions"))
	if err != nil {
		return "", fmt.Errorf("read dpkg's diversions: %w", err)
	}
	lines := strings.Split(string(content), "\n")
	for i := 0; i+2 < len(lines); i += 3 {
		if lines[i] == path {
			return lines[i+1], nil
		}
	}
	return "", nil
}

// snapshot takes down how a thing stands.
func (p *Preparer) snapshot(c change) (was, error) {
	switch c.kind {
	case changeSysctl:
		now, err := os.ReadFile(p.path(c.path))
		return was{Value: string(bytes.TrimSpace(now))}, err
	case changeDivert:
		return was{}, nil
	}
	info, err := os.Lstat(p.path(c.path))
	if errors.Is(err, fs.ErrNotExist) {
		return was{Directories: p.lacking(filepath.Dir(c.path))}, nil
	}
	if err != nil {
		return was{}, err
	}
	content, err := os.ReadFile(p.path(c.path))
	owner := info.Sys().(*syscall.Stat_t)
	return was{File: &fileState{
		Content: content, Mode: info.Mode().Perm(), UID: int(owner.Uid), GID: int(owner.Gid), ModTime: info.ModTime(),
	}}, err
}

// lacking are the directories that have to be made for dir, outermost first.
func (p *Preparer) lacking(dir string) []string {
	var list []string
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(p.path(dir)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		list = append(list, dir)
	}
	slices.Reverse(list)
	return list
}

// make carries out a change.
func (p *Preparer) make(ctx context.Context, c change) error {
	switch c.kind {
	case changeSysctl:
		return p.setSysctl(c.path, string(c.content))
	case changeDivert:
		return p.run(ctx, "dpkg-divert", divertArguments("--add", c.path, c.to)...)
	}
	if err := os.MkdirAll(p.path(filepath.Dir(c.path)), 0o755); err != nil {
		return err
	}
	read, err := readFile(p.path(c.path))
	if err != nil {
		return err
	}
	return p.files.replace(p.path(c.path), read, c.content)
}

func (p *Preparer) setSysctl(path, value string) error {
	if err := os.WriteFile(p.path(path), []byte(value+"\n"), 0o644); err != nil {
		return err
	}
	now, err := os.ReadFile(p.path(path))
	if err == nil && string(bytes.TrimSpace(now)) != value {
		err = fmt.Errorf("%s is %s after %s was written to it", path, bytes.TrimSpace(now), value)
	}
	return err
}

// unmake puts back what was there and sees that it is. A change that was not
// made is no error.
func (p *Preparer) unmake(ctx context.Context, s undoStep) error {
	c := s.change
	switch c.kind {
	case changeSysctl:
		return p.setSysctl(c.path, s.before.Value)
	case changeDivert:
		to, err := p.diverted(c.path)
		if err != nil || to != c.to {
			return err
		}
		if err := p.run(ctx, "dpkg-divert", divertArguments("--remove", c.path, c.to)...); err != nil {
			return err
		}
		if to, err := p.diverted(c.path); err != nil || to != "" {
			return errors.Join(err, fmt.Errorf("%s is still diverted", c.path))
		}
		return nil
	}
	if err := p.putBack(c.path, s.before.File); err != nil {
		return err
	}
	for _, dir := range slices.Backward(s.before.Directories) {
		// What somebody else has put there since keeps it.
		if err := os.Remove(p.path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return nil
}

// putBack gives a file its old content, mode, owner and time; nil removes it.
func (p *Preparer) putBack(name string, old *fileState) error {
	path := p.path(name)
	if old == nil {
		if _, err := os.Lstat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return p.files.remove(path)
	}
	read, err := readFile(path)
	if err != nil {
		return err
	}
	if err := p.files.replace(path, read, old.Content); err != nil {
		return err
	}
	if err := os.Chown(path, old.UID, old.GID); err != nil {
		return err
	}
	if err := os.Chmod(path, old.Mode); err != nil {
		return err
	}
	if err := os.Chtimes(path, old.ModTime, old.ModTime); err != nil {
		return err
	}
	return unchanged(path, old.Content)
}
