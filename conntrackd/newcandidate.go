package conntrackd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"connsync/conntrackd/hostfile"
)

// maxFileBytes is far more than any configuration file has.
const maxFileBytes = 4 << 20

// NewCandidate reads the configuration file at path, which need not exist, and
// works out what it would be with the settings. Nothing is written.
//
// Disabled settings that are not complete cannot be kept in the file: it stays
// as it is then. The errors are those of [File.Apply] and of reading.
func NewCandidate(path string, s Settings, h Host) (*Candidate, error) {
	old, err := ReadConfig(path)
	if err != nil {
		return nil, err
	}
	c := &Candidate{Path: path, Settings: s, Old: old, New: old, Binary: h.Binary}
	if !s.Enabled && s.unwritable() != nil {
		c.Notes = []string{"The file stays as it is: these settings are not complete."}
		return c, nil
	}
	f, _ := Parse(path, old)
	if c.Replaces, c.Notes, err = f.Apply(s, h); err != nil {
		return nil, err
	}
	c.New = f.Bytes()
	if h.ConntrackMax <= 0 && c.Changed() {
		c.Notes = append(c.Notes, fmt.Sprintf("The kernel does not say how many connections it tracks; %d is assumed.", h.table()))
	}
	return c, nil
}

// Changed reports whether a save would write anything.
func (c *Candidate) Changed() bool { return !hostfile.Same(c.Old, c.New) }

// Diff returns the change as a unified diff, or "" where there is none. It holds
// the file's own text: control characters are the reader's to strip.
func (c *Candidate) Diff() string {
	return hostfile.Diff(c.Path, c.Old, c.New)
}

// ReadConfig reads a configuration file, without waiting for a device or a pipe
// that stands in its place. It returns nil, and no error, where there is no file.
func ReadConfig(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read the configuration: %s is no regular file", path)
	case info.Size() > maxFileBytes:
		return nil, fmt.Errorf("read the configuration: %s has %d bytes, %d at most are looked at", path, info.Size(), maxFileBytes)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}
