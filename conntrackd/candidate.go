package conntrackd

import (
	"errors"
	"fmt"
	"io/fs"

	"connsync/conntrackd/hostfile"
	"connsync/trust"
)

// Candidate is the file as it would be after a save, with what there is to
// know about the change before it happens.
type Candidate struct {
	Path     string   // the configuration file
	Settings Settings // what the candidate was made from, the advanced ones as New has them
	Old      []byte   // nil when there is no file yet
	New      []byte   // nil where the save takes the file away
	// Replaces lists what the save would take away and the operator has to
	// agree to, such as "TCP link on eth1"; blank in the ordinary case.
	Replaces []string
	// Notes are sentences for the review: what else changes, and why.
	Notes []string
	// Restore is the state that the service is to be in, where Settings.Enabled
	// does not tell it all; nil in the ordinary case.
	Restore *Running
	// Undoes is the number of the save that this one rolls back; zero in the
	// ordinary case.
	Undoes int
	// Access is what the file gets beside New where it is not there any more; nil is that
	// of a new file.
	Access *hostfile.Access
	// Binary is the conntrackd program that judges the candidate; blank means
	// the one that is found in PATH or in /usr/sbin.
	Binary string
}

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
	if got, err := f.Settings(); err == nil {
		c.Settings.Advanced = got.OnHost(h).Advanced // without the words for a default
	}
	if h.ConntrackMax <= 0 && c.Changed() {
		c.Notes = append(c.Notes, fmt.Sprintf("The kernel does not say how many connections it tracks; %d is assumed.", h.table()))
	}
	c.NoteNames()
	return c, nil
}

// NoteNames notes what becomes of the file's other names, where it has any and the save
// writes it.
func (c *Candidate) NoteNames() {
	if names := hostfile.OtherNames(c.Path); c.Changed() && c.New != nil && names != "" {
		c.Notes = append(c.Notes, names+".")
	}
}

// Changed reports whether a save would write anything.
func (c *Candidate) Changed() bool { return !hostfile.Same(c.Old, c.New) }

// Diff returns the change as a unified diff, or "" where there is none. It holds
// the file's own text: control characters are the reader's to strip.
func (c *Candidate) Diff() string {
	return hostfile.Diff(c.Path, c.Old, c.New)
}

// WantedService is what the service is to do after the save.
func (c *Candidate) WantedService() Running {
	if c.Restore != nil {
		return *c.Restore
	}
	return Running{c.Settings.Enabled, c.Settings.Enabled}
}

// OldSettings are those of the old file, one or none; c may be nil.
func (c *Candidate) OldSettings() []Settings {
	if c == nil {
		return nil
	}
	f, _ := Parse(c.Path, c.Old)
	s, err := f.Settings()
	if err != nil {
		return nil
	}
	return []Settings{s}
}

// OldListening returns interface, Current IP, Port and group of the link with which
// a daemon of the old file starts; ok is false where it would not listen.
func (c *Candidate) OldListening() (s Settings, ok bool) {
	f, _ := Parse(c.Path, c.Old)
	return f.listening()
}

// Syncs reports whether the daemon is to run with a link that can be looked at.
func (c *Candidate) Syncs() bool {
	s := c.Settings
	return c.WantedService().Active && s.Interface != "" && s.Current.Addr().IsValid() && s.Port != 0
}

// Running is what a service does, now and at boot.
type Running struct {
	Active  bool `json:"active"`
	Enabled bool `json:"enabled"`
}

// MaxFileBytes is far more than any configuration file has.
const MaxFileBytes = 4 << 20

// ReadConfig reads a configuration file, without waiting for a device or a pipe
// that stands in its place. It returns nil, and no error, where there is no file.
func ReadConfig(path string) ([]byte, error) {
	content, err := trust.ReadFile(path, MaxFileBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, new(trust.NotRegularError)):
		return nil, fmt.Errorf("read the configuration: %w: give the path of a file, or move what is there away", err)
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", hostfile.Explain(path, err))
	}
	return content, nil
}
