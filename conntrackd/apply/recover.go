package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/service"
	"connsync/shell"
)

// RecoveryResult is what became of an interrupted save. Stable: it is in the JSON.
type RecoveryResult string

const (
	RecoveryNone       RecoveryResult = ""            // nothing was interrupted
	RecoveryUnchanged  RecoveryResult = "unchanged"   // it had changed nothing yet
	RecoveryRolledBack RecoveryResult = "rolled back" // the old file and service state are back
	RecoveryInForce    RecoveryResult = "in force"    // the new file is whole, and the service runs with it
	RecoveryForeign    RecoveryResult = "left alone"  // someone else has changed the file since
	RecoveryOther      RecoveryResult = "postponed"   // it belongs to another service than the one now chosen
	RecoveryFailed     RecoveryResult = "failed"      // Err says why
)

// Recovery is what was found of a save that was killed on the way, or lost its
// power, and what was done about it.
type Recovery struct {
	Result RecoveryResult // what became of it
	// Entry is the save as the history has it now. Its Number is zero where
	// the save had not come as far as the record.
	Entry Entry
	// HostStays says that what the save had prepared about the host stays, which
	// is so where the save itself is not in force.
	HostStays bool
	Err       error // only with RecoveryFailed
}

// errInterrupted is the cause of a rollback that another process left undone.
var errInterrupted = errors.New("the save was interrupted")

// Recover repairs a save of the file at path that was interrupted, by a kill or
// a power cut: where the new file is whole and the service runs with it, that is
// acknowledged; otherwise the old file and the old service state are restored,
// and looked at. A file that someone else has changed since is left alone.
//
// Where nothing was interrupted, and while another process saves, it writes
// nothing and returns the zero Recovery.
func (a *Applier) Recover(ctx context.Context, path string) Recovery {
	found, err := a.history().list()
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return Recovery{} // not ours to look at, nor to repair
	case err != nil:
		return Recovery{Result: RecoveryFailed, Err: err}
	case len(found.orphans) == 0 && len(found.pending()) == 0:
		return Recovery{}
	}
	lock, err := hostfile.LockWriter(a.RuntimeDir)
	var busy *hostfile.BusyError
	if errors.As(err, &busy) || errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return Recovery{}
	}
	if err != nil {
		return Recovery{Result: RecoveryFailed, Err: err}
	}
	defer lock.Close()
	return a.recoverLocked(ctx, path)
}

// recoverLocked is Recover for who holds the writer lock.
func (a *Applier) recoverLocked(ctx context.Context, path string) Recovery {
	t := newTransaction(a, &conntrackd.Candidate{Path: path}, nil)
	t.history = t.ledger()
	found, err := t.history.list()
	if err != nil {
		return Recovery{Result: RecoveryFailed, Err: err}
	}
	var r Recovery
	for _, orphan := range found.orphans {
		r.Result = RecoveryUnchanged
		if err := os.Remove(orphan); err != nil {
			err = fmt.Errorf("remove what an interrupted save left: %w", hostfile.Explain(orphan, err))
			if errors.Is(err, syscall.ENOTEMPTY) {
				err = fmt.Errorf("%s is a directory that connsync has not made: look at what is in it, then %s (%w)", orphan, shell.Line("rm", "-r", orphan), err)
			}
			return Recovery{Result: RecoveryFailed, Err: err}
		}
	}
	for _, e := range found.pending() {
		if e.Path == path {
			return t.recover(context.WithoutCancel(ctx), e)
		}
	}
	return r
}

// recover repairs one save and closes its entry.
func (t *transaction) recover(ctx context.Context, e Entry) Recovery {
	r := Recovery{Entry: e}
	name := ""
	if t.service != nil {
		name = t.service.Name()
	}
	if name != e.Service {
		r.Result = RecoveryOther
		return r
	}
	t.entry = &e
	t.began = e.Time
	r.Result, r.Err = t.repair(ctx, e)
	if r.Err != nil {
		r.Result = RecoveryFailed
		if t.c.Old == nil && t.c.New == nil || hostfile.Unchanged(t.c.Path, t.c.Old) != nil {
			return r // the next start tries again
		}
		e.Detail = r.Err.Error()
	}
	r.HostStays = r.Result != RecoveryInForce && prepare.RecordedSince(t.a.StateDir, e.Time)
	e.Outcome, e.Repair = EntryInterrupted, r.Result
	if err := t.history.reopen(e); err != nil {
		return Recovery{Result: RecoveryFailed, Entry: e, HostStays: r.HostStays, Err: err}
	}
	if err := t.history.record(e); err != nil {
		return Recovery{Result: RecoveryFailed, Entry: e, HostStays: r.HostStays, Err: err}
	}
	t.history.prune()
	r.Entry = e
	return r
}

func (t *transaction) repair(ctx context.Context, e Entry) (result RecoveryResult, err error) {
	c := t.c
	if c.Old, err = t.history.before(e); err != nil {
		return "", err
	}
	if c.New, err = t.history.after(e); err != nil {
		return "", err
	}
	c.Settings, c.Restore = SettingsOf(c.Path, c.New), &e.Asked
	t.before = service.State{Present: true, Active: e.Was.Active, Enabled: e.Was.Enabled}
	t.beforeBound, t.beforeProved = e.Bound, e.Bound
	if e.Boot != bootID() {
		t.before.Active = e.Was.Enabled // the boot has ended what only ran
	}
	if err := hostfile.Sweep(c.Path); err != nil {
		return "", err
	}
	now, err := hostfile.Read(c.Path)
	if err != nil {
		return "", err
	}
	var state service.State
	if t.service != nil {
		if state, err = service.SettledState(ctx, t.service); err != nil {
			return "", fmt.Errorf("could not read the state of %s: %w", t.service.Name(), err)
		}
	}
	switch {
	case hostfile.Same(now, c.New):
		return t.finish(ctx, state)
	case hostfile.Same(now, c.Old):
		return t.finishRollback(ctx, e, state)
	}
	return RecoveryForeign, nil
}

// finish is for a new file that is in its place: it stays where the service
// runs with it, and is rolled back where it does not.
func (t *transaction) finish(ctx context.Context, state service.State) (RecoveryResult, error) {
	// What could not be read does not count as in force.
	if runs, _ := t.runs(state); runs {
		return RecoveryInForce, nil
	}
	t.wrote, t.touched = !t.sameContent(), true
	t.enabled = state.Enabled != t.before.Enabled
	return t.putBack(ctx)
}

// finishRollback is for an old file that is in its place: it was never away,
// or a rollback has brought it back and may not have come to the service.
func (t *transaction) finishRollback(ctx context.Context, e Entry, state service.State) (RecoveryResult, error) {
	now, err := stamp(t.c.Path)
	if err != nil {
		return "", err
	}
	asBefore := t.service == nil || state.Active == t.before.Active && state.Enabled == t.before.Enabled
	switch {
	case now == e.Stamp && (now != "" || asBefore):
		return RecoveryUnchanged, nil
	case asBefore && !(state.Active && t.startedBefore(state)):
		return RecoveryRolledBack, nil
	}
	t.touched = true
	t.enabled = state.Enabled != t.before.Enabled
	return t.putBack(ctx)
}

func (t *transaction) putBack(ctx context.Context) (RecoveryResult, error) {
	if err := t.rollBack(ctx, errInterrupted); !t.rolledBack {
		return "", err
	}
	return RecoveryRolledBack, nil
}

// SettingsOf are the settings that a file holds, the defaults where none.
func SettingsOf(path string, content []byte) conntrackd.Settings {
	f, _ := conntrackd.Parse(path, content)
	s, err := f.Settings()
	if err != nil {
		return conntrackd.Defaults()
	}
	return s
}
