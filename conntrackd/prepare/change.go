package prepare

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"connsync/conntrackd/hostfile"
	"connsync/trust"
)

const (
	changeDivert hostfile.ChangeKind = "divert" // dpkg keeps its own Path at To
	changeSysctl hostfile.ChangeKind = "sysctl" // Path, under /proc/sys, gets a value
	changeReload hostfile.ChangeKind = "reload" // systemd reads its units again; nothing to undo
	changeStart  hostfile.ChangeKind = "start"  // the service Path starts, now and at boot, by the manager To
)

// change is one step of a preparation.
type change struct {
	kind    hostfile.ChangeKind
	path    string
	to      string // changeDivert
	content []byte // ChangeFile, changeSysctl
	unit    bool   // systemd has to read its units again
	replace bool   // ChangeFile: what stands there may be replaced, since it is known
	program bool   // ChangeFile: it can be executed
	mover   bool   // what moves the addresses has to read its configuration again
	read    []byte // ChangeFile with mover: what the content was made from

	arguments []string // changeStart, of the program where there is no service manager
}

func (c change) key() string { return string(c.kind) + " " + c.path }

// command says what it does in shell words.
func (c change) command() string {
	switch c.kind {
	case changeDivert:
		return strings.Join(append([]string{"dpkg-divert"}, divertArguments("--add", c.path, c.to)...), " ")
	case changeStart:
		var lines []string
		for _, line := range startLines(c.to, c.path, c.arguments) {
			lines = append(lines, strings.Join(line, " "))
		}
		return strings.Join(lines, " && ")
	case changeSysctl:
		return "sysctl -w " + strings.ReplaceAll(strings.TrimPrefix(c.path, "/proc/sys/"), "/", ".") + "=" + string(c.content)
	}
	return "write " + c.path
}

func divertArguments(action, path, to string) []string {
	return []string{"--local", "--rename", "--divert", to, action, path}
}

// maxHostFileBytes is above what dpkg knows of all packages of a large host.
const maxHostFileBytes = 64 << 20

// read returns the content of a file of the host's, which must be a regular one.
func (p *Preparer) read(path string) ([]byte, error) {
	return trust.ReadFile(p.path(path), maxHostFileBytes)
}

// stateOf says whether a change is needed and may be made.
func (p *Preparer) stateOf(c change, j *hostfile.Journal) (ItemState, string) {
	switch c.kind {
	case changeReload:
		return ItemMissing, ""
	case changeSysctl:
		return p.sysctlState(c)
	case changeStart:
		return p.startState(c)
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
		return ItemForeign, c.path + " is not a regular file, and is left alone"
	}
	content, err := p.read(c.path)
	switch {
	case err != nil:
		return ItemUnknown, err.Error()
	case bytes.Equal(content, c.content):
		return ItemInPlace, ""
	case ours(j, c, content):
		return ItemMissing, c.path + " is from other settings or another version"
	case c.replace:
		return ItemMissing, ""
	}
	return ItemForeign, c.path + " was written or changed by somebody else, and is left alone"
}

// ours says whether a content was put there by a change of the journal.
func ours(j *hostfile.Journal, c change, content []byte) bool {
	e, found := j.Find(c.kind, c.path)
	return found && e.Ours(content)
}

func (p *Preparer) sysctlState(c change) (ItemState, string) {
	now, err := os.ReadFile(p.path(c.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ItemInPlace, "" // a missing one is set at boot
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
	content, err := p.read("/var/lib/dpkg/diversions")
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
