package apply

import (
	"fmt"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
)

// NewRestore is the candidate that rolls back a save: the file as it was
// before, and the service as it was then. now is what the service does at
// present; it stays so where the save had left the service alone. Nothing is
// written.
func NewRestore(path string, h History, e Entry, now conntrackd.Running) (*conntrackd.Candidate, error) {
	if e.Path != path {
		return nil, fmt.Errorf("save %d is of another file: %s", e.Number, e.Path)
	}
	old, err := conntrackd.ReadConfig(path)
	if err != nil {
		return nil, err
	}
	before, err := h.before(e)
	if err != nil {
		return nil, err
	}
	was := e.Was
	if e.Service == "" {
		was = now
	}
	c := &conntrackd.Candidate{Path: path, Old: old, New: before, Settings: SettingsOf(path, before), Restore: &was, Undoes: e.Number, Access: e.Access}
	c.Settings.Enabled = StandingOf(path, before, was).Syncs()
	if hostfile.Fingerprint(old) != e.After {
		c.Notes = append(c.Notes, fmt.Sprintf("The file has changed since save %d; what changed since is rolled back too.", e.Number))
	}
	c.NoteNames()
	return c, nil
}
