package apply

import (
	"errors"
	"fmt"
	"os"

	"connsync/conntrackd/hostfile"
	"connsync/shell"
)

// Removal is a save that the history is to forget. Make it with
// [History.PlanRemoval].
type Removal struct {
	Entry Entry
	// Damage says what is not as it was written, or why no save is possible beside it.
	Damage string

	history History
}

// Called is how the operator calls this program.
func (r Removal) Called() shell.Program { return r.history.called }

// Unfinished says that the save was interrupted and cannot be repaired: file and
// service stay as they are when it is forgotten.
func (r Removal) Unfinished() bool { return r.Entry.Outcome == EntryPending }

// UnfinishedError means that a save was interrupted and can be repaired, so that
// it must not be forgotten.
type UnfinishedError struct {
	Entry  Entry
	called shell.Program
}

// Error says what to do instead.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("save %d was interrupted and what the history keeps of it is whole: it is not forgotten; "+
		"%s completes it or rolls it back", e.Entry.Number, e.called.With("--config", e.Entry.Path).Command("status"))
}

// UndamagedError means that the history keeps a save as it was written, so that it
// can be rolled back and must not be forgotten.
type UndamagedError struct{ Number int }

// Error says what becomes of such a save.
func (e *UndamagedError) Error() string {
	return fmt.Sprintf("save %d is not damaged and was not removed: --forget removes only what is damaged; "+
		"the history keeps the newest %d saves and removes older ones by itself", e.Number, keepEntries)
}

// PlanRemoval says what the history would lose with a save. The error is
// [ErrNoEntry] where it is not kept, an *[UnfinishedError] where it can still be
// repaired and an *[UndamagedError] where nothing of it is damaged. Nothing is removed yet.
func (h History) PlanRemoval(number int) (Removal, error) {
	r := Removal{history: h}
	var err error
	r.Entry, err = h.Entry(number)
	switch {
	case r.Entry.Outcome == EntryUnreadable:
		r.Damage = r.Entry.Detail
		return r, nil
	case err != nil:
		return r, err
	}
	_, before := h.before(r.Entry)
	_, after := h.after(r.Entry)
	var damaged *DamagedError
	switch err := errors.Join(before, after); {
	case errors.As(err, &damaged):
		r.Damage = damaged.Detail
	case err != nil:
		return r, err
	case r.Unfinished():
		return r, &UnfinishedError{r.Entry, h.called}
	case r.Entry.Number == maxNumber:
		r.Damage = "it has the last number of all: no save is possible beside it"
	default:
		return r, &UndamagedError{r.Entry.Number}
	}
	return r, nil
}

// Remove removes the save with what it kept, the record first. The caller holds
// the lock of [hostfile.LockWriter].
func (r Removal) Remove() error {
	for _, kind := range entryKinds {
		if err := os.RemoveAll(r.history.file(r.Entry.Number, kind)); err != nil {
			return fmt.Errorf("remove save %d from the history: %w", r.Entry.Number, hostfile.Explain(r.history.file(r.Entry.Number, kind), err))
		}
	}
	if err := hostfile.SyncDirectory(r.history.dir); err != nil {
		return fmt.Errorf("remove save %d from the history: %w", r.Entry.Number, err)
	}
	return nil
}
