package hostfile

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Changes are what one run changes about the host, for its rollback. Make them
// with [Journal.Begin].
type Changes struct {
	journal *Journal
	saved   []byte         // the journal before the run
	entries []JournalEntry // likewise
	done    []JournalEntry // oldest first, with what was there before the run
}

// Begin begins a run of changes.
func (j *Journal) Begin() *Changes {
	return &Changes{journal: j, saved: j.saved, entries: j.entries}
}

// Any says whether there is anything to roll back. Nil changes are none.
func (cs *Changes) Any() bool {
	return cs != nil && (len(cs.done) > 0 || !Same(cs.journal.saved, cs.saved))
}

// Make records all the changes in the journal and then makes them, in order.
// After an error the caller rolls back.
func (cs *Changes) Make(ctx context.Context, changes ...Change) error {
	entries, err := cs.journal.noted(changes)
	if err != nil {
		return err
	}
	if err := cs.journal.write(entries); err != nil {
		return err
	}
	return cs.Put(ctx, changes...)
}

// Put makes changes of which the journal keeps nothing: those that undo an
// earlier one otherwise than [Journal.Undo] would, before [Changes.Forget].
func (cs *Changes) Put(ctx context.Context, changes ...Change) error {
	for _, c := range changes {
		if !c.Needed() {
			continue
		}
		changer := cs.journal.changer(c.Kind)
		before, err := changer.Look(c)
		if err != nil {
			return err
		}
		// One that may not survive a power cut is made all the same.
		cs.done = append(cs.done, c.entry(before))
		if err := changer.Make(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Forget empties the journal and so removes its file.
func (cs *Changes) Forget() error { return cs.journal.write(nil) }

// RollBack undoes what the run has changed, and then restores the journal.
// What somebody else has changed since is left alone and is an error; the
// journal then stays.
func (cs *Changes) RollBack(ctx context.Context) error {
	list, _, err := cs.journal.undo(ctx, cs.done, false)
	errs := []error{err}
	for _, u := range list {
		switch {
		case u.Err != nil:
			errs = append(errs, u.Err)
		case u.Left != "":
			errs = append(errs, fmt.Errorf("%s is left alone: %s", u.Path, u.Left))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := cs.journal.save(cs.saved); err != nil {
		return err
	}
	cs.journal.entries = cs.entries
	return nil
}

// Undone is one change that was undone, or was not.
type Undone struct {
	JournalEntry
	Action string // what happens to it, in words
	// Left says why it is left alone; blank when it was undone.
	Left string
	Err  error // why it could not be undone
}

// Undo puts everything in the journal back, newest first, and sees that it is.
// What somebody else has changed since is left alone and stays in the journal.
// With dryRun it changes nothing.
func (j *Journal) Undo(ctx context.Context, dryRun bool) ([]Undone, error) {
	list, kept, err := j.undo(ctx, j.entries, dryRun)
	if dryRun {
		return list, nil
	}
	return list, errors.Join(err, j.write(kept))
}

// undo puts entries back and returns those that were not. Its error is that of
// settling what was.
func (j *Journal) undo(ctx context.Context, entries []JournalEntry, dryRun bool) (list []Undone, kept []JournalEntry, err error) {
	var back []JournalEntry
	for _, e := range slices.Backward(entries) {
		changer := j.changer(e.Kind)
		u := Undone{JournalEntry: e, Action: changer.Action(e)}
		u.Left, u.Err = changer.Left(e, kept)
		if u.Left == "" && u.Err == nil && !dryRun {
			u.Err = changer.Undo(ctx, e)
		}
		if u.Left != "" || u.Err != nil {
			kept = slices.Insert(kept, 0, e)
		} else {
			back = append(back, e)
		}
		list = append(list, u)
	}
	if j.options.Settle != nil && len(back) > 0 && !dryRun {
		err = j.options.Settle(ctx, back)
	}
	return list, kept, err
}
