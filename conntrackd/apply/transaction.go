package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
	"connsync/conntrackd/trial"
)

const (
	// serviceTimeout bounds one request to the service: stopping a daemon with
	// many states takes seconds.
	serviceTimeout = 45 * time.Second
	// boundTimeout is how long a started daemon may take to open its sockets;
	// it does so before it reports its start.
	boundTimeout = 3 * time.Second
	// defaultSettle is longer than the two seconds after which a daemon may die
	// of what it has read.
	defaultSettle   = 2500 * time.Millisecond
	defaultPatience = 5 * time.Second
)

// transaction is one apply.
type transaction struct {
	a       *Applier
	c       *conntrackd.Candidate
	service service.Service // nil when it is left alone
	replace func(access *hostfile.Access, path string, read, content []byte) error
	first   func(access *hostfile.Access, path string, read, content []byte) error // replace, where nothing has changed yet
	// changedAt returns the change time of a file.
	changedAt func(path string) (time.Time, error)
	each      func(step.Step)
	steps     []step.Step
	began     time.Time

	before        service.State
	beforeBound   bool               // the old daemon listened where the old file says
	beforeProved  bool               // and ran with that file
	unseen        error              // why its sockets could not be read, where nothing else asks for a restart
	entry         *Entry             // of the history; nil until it is begun
	history       *ledger            // where it is written
	wrote         bool               // the file is not the old one
	touched       bool               // the service was asked for something
	enabled       bool               // the boot setting was changed
	host          *prepare.Preparing // what was changed about the host; nil for nothing
	besides       bool               // what goes with the save was done
	rolledBack    bool
	left          error // units that ended with the daemon's and were not started again
	verdict       health.Verdict
	resync        *failover.Resync // on its way; nil where the daemon was not restarted, or took none
	observer      *health.Observer
	stopListening context.CancelFunc // on the link
}

func newTransaction(a *Applier, c *conntrackd.Candidate, each func(step.Step)) *transaction {
	t := &transaction{a: a, c: c, each: each, began: time.Now(), verdict: health.VerdictUnknown, stopListening: func() {}}
	if t.each == nil {
		t.each = func(step.Step) {}
	}
	if _, alone := a.Service.(service.Unmanaged); !alone {
		t.service = a.Service
	}
	t.replace, t.first = a.replace, a.replace
	if a.replace == nil {
		t.replace, t.first = hostfile.ReplaceWith, hostfile.ReplaceFirst
	}
	t.changedAt = a.changedAt
	if t.changedAt == nil {
		t.changedAt = changeTime
	}
	return t
}

func (t *transaction) cleanUp() { t.stopListening() }

// step reports the beginning and the end of what do does. do returns how it
// ended; an error makes that StepFailed and the error's text the detail.
func (t *transaction) step(id step.ID, title string, do func() (step.Status, string, error)) error {
	start := time.Now()
	s := step.Step{ID: id, Title: title, Status: step.Running}
	t.each(s)
	status, detail, err := do()
	s.Status, s.Detail, s.Took = status, detail, time.Since(start)
	if err != nil {
		s.Status, s.Detail = step.Failed, err.Error()
	}
	t.steps = append(t.steps, s)
	t.each(s)
	return err
}

func (t *transaction) skip(id step.ID, title, why string) {
	_ = t.step(id, title, func() (step.Status, string, error) { return step.Skipped, why, nil })
}

// lock makes this the only writer and looks at what is there.
func (t *transaction) lock(ctx context.Context) (unlock func(), err error) {
	var f io.Closer
	err = t.step(step.Lock, "Take the writer lock", func() (step.Status, string, error) {
		var err error
		if err = ctx.Err(); err != nil {
			return "", "", err
		}
		if f, err = hostfile.LockWriter(t.a.RuntimeDir); err != nil {
			return "", "", err
		}
		repaired, err := t.repairFirst(ctx)
		defer hostfile.Looking()()
		if err == nil {
			err = t.lookBefore(ctx)
		}
		if err == nil {
			t.start().remember(t.before)
		}
		return step.Done, repaired, err
	})
	if err != nil && f != nil {
		f.Close()
	}
	return func() { f.Close() }, err
}

// repairFirst ends a save of the same file that was interrupted since this one was prepared.
// Where that changes the file, the fingerprint does not let this save go on.
func (t *transaction) repairFirst(ctx context.Context) (string, error) {
	found, err := t.a.history().list()
	if err != nil || !slices.ContainsFunc(found.pending(), func(e Entry) bool { return e.Path == t.c.Path }) {
		return "", err
	}
	r := t.a.recoverLocked(ctx, t.c.Path)
	if r.Err != nil {
		return "", fmt.Errorf("repair save %d, which was interrupted: %w", r.Entry.Number, r.Err)
	}
	said := fmt.Sprintf("save %d was interrupted: %s", r.Entry.Number, r.Result)
	if r.HostStays {
		said += "; its changes to the host stay; " + t.a.Called.Command("unprepare") + " undoes them"
	}
	return said, nil
}

// lookBefore refuses what cannot go well, before anything changes. Its errors
// are shown as those of the lock.
func (t *transaction) lookBefore(ctx context.Context) error {
	if err := hostfile.Unchanged(t.c.Path, t.c.Old); err != nil {
		return err
	}
	if t.service == nil {
		return nil
	}
	var err error
	if t.before, err = service.SettledState(ctx, t.service); err != nil {
		return fmt.Errorf("could not read the state of %s: %w", t.service.Name(), err)
	}
	if asked := t.c.WantedService(); asked.Active || asked.Enabled {
		if err := usable(t.service.Name(), t.before); err != nil {
			return err
		}
	}
	if err := service.Misplaced(ctx, t.service, t.before, t.c.Path); err != nil {
		return err
	}
	t.beforeProved = t.before.Active && t.prove(t.before.MainPID, t.c.Old) == nil
	if t.before.Keeper != (service.Keeper{}) && !t.nothingLeft() {
		return &service.KeptError{PID: t.before.MainPID, Keeper: t.before.Keeper}
	}
	if old, ok := t.c.OldListening(); ok && t.before.Active {
		sockets, err := t.sockets(t.before.MainPID, old)
		t.beforeBound = err == nil && sockets.Bound
	}
	return nil
}

// startable says why the daemon could not make its files when it starts, or be at its
// addresses: what was checked may have changed since.
func (t *transaction) startable(ctx context.Context) error {
	if t.service == nil || !t.c.WantedService().Active {
		return nil
	}
	problems, err := trial.Directories(ctx, t.c, t.service, t.a.RuntimeDir)
	if err != nil {
		return fmt.Errorf("could not read the state of %s: %w", t.service.Name(), err)
	}
	if t.c.Syncs() {
		problems = append(problems, trial.Addresses(t.c.Settings)...)
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// oldFileRuns says whether a daemon that nobody restarts goes on with the file
// that was replaced.
func (t *transaction) oldFileRuns() bool {
	if t.service != nil || !t.wrote || t.rolledBack {
		return false
	}
	state, err := (&service.Direct{Config: t.c.Path}).State(context.Background())
	return err == nil && state.Active
}

// usable says why a service cannot be started, if so. Its error is a
// *[service.Error].
func usable(name string, s service.State) error {
	switch {
	case s.Masked:
		return &service.Error{Action: service.ActionRestart, Name: name, Reason: service.ErrMasked, Detail: "unmask it with " + s.Unmask}
	case !s.Present:
		return &service.Error{Action: service.ActionRestart, Name: name, Reason: service.ErrNotFound}
	}
	return nil
}

func (t *transaction) sockets(pid int, s conntrackd.Settings) (health.Sockets, error) {
	if t.a.Sockets != nil {
		return t.a.Sockets(pid, s)
	}
	return health.ReadSockets(pid, s)
}

// prove says why the daemon pid does not run with the file in this content.
func (t *transaction) prove(pid int, content []byte) error {
	if t.a.Prove != nil {
		return t.a.Prove(pid, t.c.Path, content)
	}
	return service.Prove(pid, t.c.Path, content)
}

func (t *transaction) sameContent() bool { return hostfile.Same(t.c.Old, t.c.New) }

// nothingLeft says whether no change is needed: file and service are as asked
// for, and the daemon runs this file since before. A daemon whose sockets
// cannot be seen is left running, since a restart would show no more of them;
// that they were not seen is told.
func (t *transaction) nothingLeft() bool {
	if !t.sameContent() {
		return false
	}
	runs, unseen := t.runs(t.before)
	t.unseen = unseen
	return runs || unseen != nil
}

// runs says whether a service in that state does what the save asks for, with
// the file that is there now. An error means that nothing speaks against it,
// and that the daemon's sockets could not be read.
func (t *transaction) runs(state service.State) (bool, error) {
	if t.service == nil {
		return true, nil
	}
	asked := t.c.WantedService()
	switch {
	case state.Active != asked.Active || state.Enabled != asked.Enabled:
		return false, nil
	case !state.Active:
		return !state.Starting && !state.Killed && !state.Ended, nil
	case t.startedBefore(state):
		return false, nil
	}
	if err := t.prove(state.MainPID, t.c.New); err != nil {
		if errors.Is(err, conntrackd.ErrCannotLook) {
			return false, err
		}
		return false, nil
	}
	if !t.c.Syncs() {
		return true, nil
	}
	sockets, err := t.sockets(state.MainPID, t.c.Settings)
	if err != nil {
		return false, err
	}
	return health.BoundProblem(sockets, t.c.Settings) == "", nil
}

func (t *transaction) nothingToDo() {
	t.skip(StepWrite, "Write the file", "the file is as it should be")
	switch {
	case t.service == nil:
	case t.c.WantedService().Active:
		t.skip(StepRestart, "Restart conntrackd", "it runs with this file already")
		if t.unseen != nil {
			_ = t.step(StepBound, "Listening on "+health.ListenAddress(t.c.Settings), func() (step.Status, string, error) {
				return step.Unknown, t.unseen.Error(), nil
			})
		}
	default:
		t.skip(StepStop, "Stop conntrackd", "it is stopped already")
	}
}

// write keeps the old file and puts the new one in its place.
func (t *transaction) write(ctx context.Context) error {
	if err := t.keepOld(); err != nil {
		return err
	}
	if t.sameContent() {
		t.skip(StepWrite, "Write the file", "the file is as it should be")
		return ctx.Err()
	}
	title := "Write " + t.c.Path
	if t.c.New == nil {
		title = "Remove " + t.c.Path
	}
	return t.step(StepWrite, title, func() (step.Status, string, error) {
		err := ctx.Err()
		if err == nil {
			err = t.first(t.c.Access, t.c.Path, t.c.Old, t.c.New)
		}
		t.wrote = err == nil || errors.Is(err, hostfile.ErrNotDurable)
		return step.Done, "", err
	})
}

// keepOld opens the entry in the history, which keeps the old file.
func (t *transaction) keepOld() error {
	return t.step(StepBackup, "Back up the old file", func() (step.Status, string, error) {
		defer hostfile.Looking()() // what is left of an entry changes nothing, and goes with the next start
		if err := t.begin(); err != nil {
			return "", "", fmt.Errorf("back up the old file: %w", err)
		}
		if t.c.Old == nil {
			return step.Skipped, "there is no file yet", nil
		}
		return step.Done, t.history.beforePath(t.entry.Number), nil
	})
}
