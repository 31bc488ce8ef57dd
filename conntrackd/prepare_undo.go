package conntrackd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Undone is one thing that was put back, or was not.
type Undone struct {
	Item   ItemID
	Path   string
	Action string // what happens to it, in words
	// Left says why it is left alone; blank when it is put back.
	Left string
	Err  error // why it could not be put back
}

// Undo puts the host back as it was before the first preparation, byte for
// byte, and sees that it is. What somebody else has changed since is left
// alone and stays in the record. With dryRun it changes nothing. The daemon is
// not touched. It takes the writer lock in runtimeDir, and returns a
// *[BusyError] when somebody else is saving.
func (p *Preparer) Undo(ctx context.Context, runtimeDir string, dryRun bool) ([]Undone, error) {
	if !dryRun {
		lock, err := lockWriter(runtimeDir)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
	}
	r, err := p.readRecord()
	if err != nil {
		return nil, err
	}
	var list []Undone
	var kept []entry
	reload := false
	for i := len(r.Entries) - 1; i >= 0; i-- {
		e := r.Entries[i]
		u := Undone{Item: e.Item, Path: e.Path, Action: e.undoing()}
		u.Left, u.Err = p.leftAlone(e, kept)
		if u.Left == "" && u.Err == nil && !dryRun {
			u.Err = p.unmake(ctx, undoStep{change: change{kind: e.Kind, path: e.Path, to: e.To}, before: e.Before})
			reload = reload || e.Unit && u.Err == nil
		}
		if u.Left != "" || u.Err != nil {
			kept = append([]entry{e}, kept...)
		}
		list = append(list, u)
	}
	if dryRun {
		return list, nil
	}
	if reload {
		err = p.reloadUnits(ctx)
	}
	return list, errors.Join(err, p.writeRecord(hostRecord{Entries: kept}))
}

// undoing says what is done to put an entry back.
func (e entry) undoing() string {
	switch {
	case e.Kind == changeSysctl:
		return "set to " + e.Before.Value + " again"
	case e.Kind == changeDivert:
		return "the package's own file comes back from " + e.To
	case e.Before.File == nil:
		return "remove"
	}
	return "put back as it was"
}

// leftAlone says why an entry is not put back; kept are the later ones that
// were not.
func (p *Preparer) leftAlone(e entry, kept []entry) (string, error) {
	if e.Kind == changeDivert {
		for _, k := range kept {
			if k.Path == e.Path {
				return "the file in its place is left alone", nil
			}
		}
		return "", nil
	}
	now, err := os.ReadFile(p.path(e.Path))
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case e.Kind == changeSysctl:
			return "the kernel has no such setting now", nil
		case e.Before.File != nil:
			return "it was removed by somebody else", nil
		}
		return "", nil // it is as it was: absent
	}
	if err != nil {
		return "", err
	}
	if e.Kind == changeSysctl {
		now = bytes.TrimSpace(now)
		if string(now) == e.Before.Value {
			return "", nil
		}
	}
	if e.Before.File != nil && bytes.Equal(now, e.Before.File.Content) {
		return "", nil
	}
	if !(hostRecord{Entries: []entry{e}}).ours(change{kind: e.Kind, path: e.Path}, now) {
		if e.Kind == changeSysctl {
			return fmt.Sprintf("it is %s now, set by somebody else", now), nil
		}
		return "it was changed by somebody else", nil
	}
	return "", nil
}
