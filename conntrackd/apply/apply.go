package apply

import (
	"context"
	"errors"
	"slices"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
	"connsync/shell"
)

// Steps of a save, beside [step.Lock]; stable, they are in the JSON.
const (
	StepBackup  step.ID = "backup"  // the old file is in the history
	StepWrite   step.ID = "write"   // the new file is in its place
	StepEnable  step.ID = "enable"  // the daemon starts at boot
	StepDisable step.ID = "disable" // it does not
	StepRestart step.ID = "restart" // the service has restarted the daemon
	StepStop    step.ID = "stop"    // it has ended it
	// StepDependents is a failure alone: what ended with the daemon was not started again.
	StepDependents step.ID = "dependents"
	StepBound      step.ID = "bound"           // the daemon's socket has Current IP, port and buffers
	StepStaysUp    step.ID = "stays-up"        // the daemon is still the same a while later
	StepResync     step.ID = "resync"          // states asked of the peer, and sent to it
	StepFilled     step.ID = "filled"          // the peer's states came
	StepHeard      step.ID = "heard-peer"      // a message of the peer arrived
	StepHeardBy    step.ID = "heard-by-peer"   // the peer acknowledged this node's
	StepRollback   step.ID = "rollback"        // file and service are restored
	StepVerify     step.ID = "verify-rollback" // and were looked at
	StepRecord     step.ID = "record"          // in the history; only where that failed

	StepPrepare   step.ID = "prepare"   // what the host does against its sync is mended
	StepUnprepare step.ID = "unprepare" // and undone, in a rollback

	StepFirewall   step.ID = "firewall"          // the rules that admit the sync are added
	StepNoFirewall step.ID = "rollback-firewall" // and removed, in a rollback
)

// Outcome is how an apply ended.
type Outcome struct {
	Changed    bool           // the file or the service is not as it was
	RolledBack bool           // something failed and the old state is back, verified
	Steps      []step.Step    // in order, each as it ended
	Verdict    health.Verdict // of the sync, as far as it was seen
	Err        error          // why the apply failed; nil when it is done
	Entry      int            // the number of the save in the history; zero where there is none
	LeftAlone  bool           // nobody starts, restarts or stops conntrackd
	OldFile    bool           // it is left alone, and one runs with the file that was replaced
}

// Unseen reports whether the daemon's sockets could not be read, so that
// nobody has seen it listen as asked.
func (o Outcome) Unseen() bool {
	for _, s := range o.Steps {
		if s.Status == step.Unknown && (s.ID == StepBound || s.ID == StepStaysUp) {
			return true
		}
	}
	return false
}

// Sync is how the two nodes stand after a save, in a word. Stable: it is in the JSON.
type Sync string

const (
	SyncOff     Sync = "off"              // the save leaves the sync disabled
	SyncInForce Sync = "in-sync"          // both directions were seen, and nothing is missing
	SyncWaits   Sync = "waiting-for-peer" // the first node of a pair, whose peer is not set up yet
	SyncFails   Sync = "not-in-sync"      // the settings are in force, but the nodes do not sync
	SyncUnknown Sync = "unknown"          // the save failed, or nobody looked
)

// Sync says how the nodes stand after the outcome of a save with those settings of
// the sync; firstNode is the operator's word that the peer does not exist yet.
func (o Outcome) Sync(enabled, firstNode bool) Sync {
	switch v := o.Verdict; {
	case o.Err != nil || o.LeftAlone:
		return SyncUnknown
	case !enabled:
		return SyncOff
	case v == health.VerdictTwoWay:
		return SyncInForce
	case firstNode && !v.BothWays() && v != health.VerdictMismatch && v != health.VerdictStopped:
		return SyncWaits
	case v == health.VerdictUnknown || v == "":
		return SyncUnknown
	}
	return SyncFails
}

// Proved reports whether the save has waited for the peer's word.
func (o Outcome) Proved() bool {
	return slices.ContainsFunc(o.Steps, func(s step.Step) bool { return s.ID == StepHeard })
}

// Applier saves a candidate: it writes the file, has the service run it, and
// proves that it does, or puts everything back as it was.
type Applier struct {
	// Service runs the daemon; nil or [service.Unmanaged] means that the file is
	// written and the service left alone.
	Service service.Service
	// StateDir keeps the [History], RuntimeDir the writer lock. Both are made
	// when missing.
	StateDir, RuntimeDir string
	// Called is how the operator calls this program, for the commands that are named.
	Called shell.Program
	// By is who saves, for the history.
	By Actor
	// FirstNode says that the peer is not expected to answer yet.
	FirstNode bool
	// Preparer sets right what the host does against its sync, as a part of
	// the save of enabled settings; nil means that the host is left alone.
	Preparer *prepare.Preparer
	// Aside is what goes with the save on this host; nil for nothing.
	Aside *Aside
	// Client makes the client of a control socket; nil means [control.NewClient].
	Client func(path string) *control.Client
	// Sockets reads the daemon's sockets; nil means [health.ReadSockets].
	Sockets func(pid int, s conntrackd.Settings) (health.Sockets, error)
	// Prove says why a daemon does not run with a file of this content; nil means
	// [service.Prove].
	Prove func(pid int, path string, content []byte) error
	// Listen listens on the sync link; nil means that nothing does, which makes
	// "two-way" harder to prove.
	Listen health.Listen
	// Coverage makes what looks at the connections of a daemon with the file; nil means
	// that nothing does, and that the verdict is taken from the messages alone.
	Coverage func(client *control.Client, file *conntrackd.File) *coverage.Looker
	// Host returns what the peer is told of this host with the settings; nil tells nothing of it.
	Host func(context.Context, conntrackd.Settings) mailbox.Host
	// Settle is how long a restarted daemon has to stay up before it is
	// believed; zero means 2.5 seconds.
	Settle time.Duration
	// Patience is how long to wait for the peer's word; zero means 5 seconds.
	Patience time.Duration

	replace   func(access *hostfile.Access, path string, read, content []byte) error // nil means [hostfile.ReplaceWith]
	changedAt func(path string) (time.Time, error)                                   // nil means the file's change time
}

// errDaemon means that the daemon does not run the new file as it should. The
// old state was restored.
var errDaemon = errors.New("conntrackd does not run with the new settings")

// Apply saves c and reports each step as it begins and as it ends; each may be
// nil. It works on the calling goroutine.
//
// When ctx ends before the file is written nothing has changed. Afterwards the
// save goes on until the daemon runs as it should or the old state is back,
// which is a matter of seconds; only the wait for the peer is cut short.
//
// A peer that is silent is no failure: the outcome's verdict tells.
func (a *Applier) Apply(ctx context.Context, c *conntrackd.Candidate, each func(step.Step)) Outcome {
	t := newTransaction(a, c, each)
	unlock, err := t.lock(ctx)
	if err != nil {
		return t.outcome(err)
	}
	defer unlock()
	if t.nothingLeft() {
		t.nothingToDo()
		if err := t.besideTheFile(ctx); err != nil {
			return t.outcome(t.rollBack(ctx, err))
		}
		t.proof(ctx)
		return t.outcome(nil)
	}
	end := hostfile.Looking()
	err = t.startable(ctx)
	end()
	if err != nil {
		return t.outcome(err)
	}
	if err := t.write(ctx); err != nil {
		if !t.wrote {
			return t.outcome(err)
		}
		return t.outcome(t.rollBack(ctx, err))
	}
	// From here on a cancelled context must not leave things half done.
	if err := t.besideTheFile(context.WithoutCancel(ctx)); err != nil {
		return t.outcome(t.rollBack(ctx, err))
	}
	if err := t.serve(context.WithoutCancel(ctx)); err != nil {
		return t.outcome(t.rollBack(ctx, err))
	}
	// What follows is a look at the peer: the save itself is done. Should this
	// not be written now, it is once more at the end.
	_ = t.conclude(nil)
	t.proof(ctx)
	return t.outcome(nil)
}

// besideTheFile changes what goes with the save on this host.
func (t *transaction) besideTheFile(ctx context.Context) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	return t.aside(ctx)
}

// Obstacle says why [Applier.Apply] would not begin to change anything as this
// host is now; nil where nothing speaks against it. It changes nothing.
func (a *Applier) Obstacle(ctx context.Context, c *conntrackd.Candidate) error {
	t := newTransaction(a, c, nil)
	err := t.lookBefore(ctx)
	if err != nil || t.nothingLeft() {
		return err
	}
	err = hostfile.LockObstacle(a.RuntimeDir)
	if err == nil {
		_, err = a.history().list()
	}
	if err == nil {
		err = hostfile.DirectoryObstacle(a.history().dir)
	}
	if err == nil && !t.sameContent() {
		err = hostfile.Obstacle(c.Path)
	}
	if err == nil {
		err = t.startable(ctx)
	}
	return err
}

// Restarts says whether [Applier.Apply] would restart a daemon that c wants to run, and whose
// file it leaves as it is: the daemon runs with another one, as where that was changed since
// its start. It is false where nobody can see so.
func (a *Applier) Restarts(ctx context.Context, c *conntrackd.Candidate) bool {
	t := newTransaction(a, c, nil)
	if t.service == nil || !c.WantedService().Active {
		return false
	}
	var err error
	t.before, err = service.SettledState(ctx, t.service)
	return err == nil && t.sameContent() && !t.nothingLeft()
}

func (t *transaction) outcome(err error) Outcome {
	t.cleanUp()
	// It does not undo the save: the next start finds the entry open, and looks.
	if err := t.conclude(err); err != nil {
		_ = t.step(StepRecord, "Write the history", func() (step.Status, string, error) { return "", "", err })
	}
	entry := 0
	if t.entry != nil {
		entry = t.entry.Number
	}
	return Outcome{
		Entry:      entry,
		LeftAlone:  t.service == nil,
		OldFile:    t.oldFileRuns(),
		Changed:    (t.wrote || t.touched || t.host.Any() || t.besides) && !t.rolledBack,
		RolledBack: t.rolledBack,
		Steps:      t.steps,
		Verdict:    t.verdict,
		Err:        err,
	}
}
