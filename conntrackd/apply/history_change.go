package apply

import "connsync/conntrackd/hostfile"

// Change is what a save changed.
type Change struct {
	// Diff is the change of the file, unified; blank where nothing. It holds the file's
	// own text: control characters are the reader's to strip.
	Diff string
	// Before was in force before the save, After is what it asked for.
	Before, After Standing
}

// Change returns what a save changed.
func (h History) Change(e Entry) (Change, error) {
	old, err := h.before(e)
	if err != nil {
		return Change{}, err
	}
	wrote, err := h.after(e)
	if err != nil {
		return Change{}, err
	}
	c := Change{Diff: hostfile.Diff(e.Path, old, wrote), Before: StandingOf(e.Path, old, e.Was), After: StandingOf(e.Path, wrote, e.Asked)}
	c.Before.Alone, c.After.Alone = e.Service == "", e.Service == ""
	return c, nil
}

// WithChanges adds to each save that is in force what it changed, as far as that can be read.
func (h History) WithChanges(entries []Entry) []Entry {
	for i, e := range entries {
		if c, err := h.Change(e); e.InForce() && err == nil {
			entries[i].Change = &c
		}
	}
	return entries
}
