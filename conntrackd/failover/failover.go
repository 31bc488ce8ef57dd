package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/step"
)

// Role is the part that a node takes over, as the program that moves the
// addresses sees it.
type Role string

const (
	RolePrimary Role = "primary" // the connections come here now
	RoleBackup  Role = "backup"  // the other node has them
	RoleFault   Role = "fault"   // this node cannot take them, nor ask for anything
)

// LogName is the file in the state directory to which every call writes what it did:
// "2026-11-28T14:02:10Z [4711] failover primary: " and a sentence a line.
const LogName = "failover.log"

// Roles are the roles that there are.
func Roles() []Role { return []Role{RolePrimary, RoleBackup, RoleFault} }

// Steps of a failover; stable, they are in the JSON and in logs. The letter is
// conntrackd's own option for the same.
const (
	stepNetwork       step.ID = "network"        // the daemon serves another network; only where that failed
	stepCommit        step.ID = "commit"         // -c: the peer's states go into the kernel
	stepFlushCaches   step.ID = "flush-caches"   // -f
	stepResyncKernel  step.ID = "resync-kernel"  // -R: the kernel's states go into the internal cache
	stepSendBulk      step.ID = "send-bulk"      // -B
	stepPurge         step.ID = "purge"          // -t: the kernel's old states go after PurgeTimeout
	stepRequestResync step.ID = "request-resync" // -n
	stepLetGo         step.ID = "let-go"         // -f internal
)

// Failover tells the daemon which role its node has taken, so that the
// connections go on: what keepalived's notify scripts are for. It speaks to the
// control socket alone and never starts a daemon. The zero value of every
// field but Client will do.
type Failover struct {
	// Client speaks with the daemon; it must be given.
	Client *control.Client
	// Mode is the sync mode of the file in force, as [conntrackd.File.Mode] has it; blank
	// means FTFW. Where the peer's states are kept, in an external cache or
	// in the kernel, the daemon itself is asked.
	Mode string
	// RuntimeDir keeps the lock that keeps two calls from mixing their steps;
	// it is made when missing. Blank means that there is none.
	RuntimeDir string
	// Elsewhere says why the daemon serves another network namespace than the
	// calling thread's; nil is not asked.
	Elsewhere func() error
	// Started is the time of the call on the clock of [Clock]; of two
	// calls the later one counts, whichever comes first to the lock. Zero
	// means now.
	Started time.Duration
	// Kernel returns how many entries the kernel's connection table has; nil
	// asks the kernel, in the network namespace of the calling thread.
	Kernel func() (int, error)
	// KernelMax returns how many entries it can have, zero where that is not known; nil asks the
	// kernel.
	KernelMax func() int
	// KernelExpectations returns how many expectations the kernel has; nil asks
	// the kernel, as for Kernel.
	KernelExpectations func() (int, error)
	// Patience is how long an effect may take to show; zero means 2 seconds. The
	// peer's answer to a request may take three times as long, and a peer that is not heard
	// at all is waited for eight times as long.
	Patience time.Duration
	// Await is how long to wait for a daemon that does not listen yet, as at
	// boot; zero means 5 seconds.
	Await time.Duration
}

// Outcome is how a failover ended.
type Outcome struct {
	Role Role // that the node was given
	// ExternalCache says where the daemon keeps the peer's states: in its
	// external cache, else in the kernel's table.
	ExternalCache bool
	// Stopped says that no daemon runs, so that for a faulty node there was
	// nothing to do. For the other roles that is an error.
	Stopped bool
	Steps   []step.Step // in order, each as it ended
	// SupersededBy is the role that a later call has given the node while this
	// one waited; nothing was done for this one then. Blank otherwise.
	SupersededBy Role
	// Err says why nothing was done: [control.ErrNotListening], [control.ErrStatsMode], or
	// another error of the control socket.
	Err error
	// Unlocked says why the lock could not be taken; the steps were done
	// without it, because taking the connections over matters more.
	Unlocked error
}

// Failed reports whether something that was to be done is not known to be
// done: a step failed, or nothing could be done at all.
func (o Outcome) Failed() bool { return o.Err != nil || o.has(step.Failed) }

// Unseen reports whether a step's effect could not be seen.
func (o Outcome) Unseen() bool { return o.has(step.Unknown) }

func (o Outcome) has(status step.Status) bool {
	for _, s := range o.Steps {
		if s.Status == status {
			return true
		}
	}
	return false
}

// action is one request to the daemon and the look at what came of it.
type action struct {
	id    step.ID
	title string
	// after is a step which must not have failed before this one.
	after step.ID
	ask   func(*control.Client, context.Context) error
	// late says that the effect depends on the peer: nothing waits for it, and
	// it is looked at without the lock.
	late   bool
	effect func(context.Context, *run, tables) (step.Status, string)
	// last says that it is asked for once the peer's answer was looked at, unless a later
	// call has come meanwhile.
	last bool
	// whyNot is how the step ends where it is not asked for; blank where it is. nil always asks.
	whyNot func(*run, tables) (step.Status, string)
}

// place is where the daemon keeps states, on which its part in a failover
// depends.
type place struct {
	external bool // there is an external cache for the peer's states
	internal bool // there is an internal cache for this node's
	asks     bool // the mode knows bulks and requests for them; ALARM repeats every state instead
}

// actions is what a role means for the daemon. It is conntrack-tools'
// primary-backup.sh corrected: with the states in the kernel (external cache
// disabled) nothing is committed, and above all nothing is purged, since the
// purge would take the peer's states with it.
func actions(role Role, p place) []action {
	var steps []action
	when := func(condition bool, s action) {
		if condition {
			steps = append(steps, s)
		}
	}
	purge := action{id: stepPurge, title: "Schedule the purge of old states", ask: (*control.Client).ResetTimers, effect: purgeEffect}
	switch role {
	case RolePrimary:
		when(p.external, action{id: stepCommit, title: "Commit the peer's states", ask: (*control.Client).Commit, effect: commitEffect})
		// What could not be committed would be lost by this.
		when(p.external, action{id: stepFlushCaches, title: "Flush the caches", after: stepCommit, ask: (*control.Client).FlushCaches, effect: flushEffect})
		when(p.internal, action{id: stepResyncKernel, title: "Read the kernel's table", ask: (*control.Client).ResyncKernel, effect: resyncEffect})
		when(p.asks, action{id: stepSendBulk, title: "Send all states", ask: (*control.Client).SendBulk, effect: bulkEffect, late: true})
	case RoleBackup:
		when(p.external, purge)
		when(p.asks, action{id: stepRequestResync, title: "Ask the peer for its states", ask: (*control.Client).RequestResync, effect: requestEffect, late: true})
		when(p.asks && p.internal && !p.external, letGo())
	case RoleFault:
		when(p.external, purge)
	}
	return steps
}

const (
	failoverPatience = 2 * time.Second
	daemonPatience   = 5 * time.Second
	// lockPatience is longer than a whole run takes with 100,000 states.
	lockPatience = 10 * time.Second
)

// Run gives the node its role and reports each step as it begins and as it
// ends; each may be nil. It works on the calling goroutine and in the network
// namespace of its thread.
//
// The requests are made even when ctx ends: half a failover is worse than a
// whole one. Each of them is bounded by itself. A run takes milliseconds, and
// some seconds where a daemon or a peer is waited for that does not answer.
func (f *Failover) Run(ctx context.Context, role Role, each func(step.Step)) Outcome {
	if each == nil {
		each = func(step.Step) {}
	}
	r := &run{f: f, each: each, asking: context.WithoutCancel(ctx), outcome: Outcome{Role: role}}
	if r.started = f.Started; r.started == 0 {
		r.started = Clock()
	}
	first, err := r.awaitDaemon(ctx)
	r.outcome.Stopped = role == RoleFault && errors.Is(err, control.ErrNotListening)
	if err != nil && !r.outcome.Stopped {
		r.outcome.Err = failure(err)
		return r.outcome
	}
	r.outcome.ExternalCache = !first.Direct && !r.outcome.Stopped
	// Also where no step is needed: an earlier call may wait for a daemon.
	var unlock func()
	unlock, r.outcome.SupersededBy, r.outcome.Unlocked = f.lock(ctx, role, r.started)
	if r.outcome.SupersededBy != "" {
		unlock()
		return r.outcome
	}
	r.network()
	defer hostfile.Whole()()
	var late, last []func()
	for _, s := range actions(role, place{external: r.outcome.ExternalCache, internal: !first.Bypass, asks: f.Mode != "ALARM"}) {
		if s.last {
			last = append(last, func() { r.atLast(ctx, s) })
			continue
		}
		if look := r.step(ctx, s); look != nil {
			late = append(late, look)
		}
	}
	unlock()
	for _, look := range append(late, last...) {
		look()
	}
	return r.outcome
}

// network says where the daemon serves another network namespace: what is asked of it is done
// all the same, there, and the connections of this one are not taken over.
func (r *run) network() {
	if r.f.Elsewhere == nil || r.outcome.Stopped {
		return
	}
	began := time.Now()
	if err := r.f.Elsewhere(); err != nil {
		s := step.Step{ID: stepNetwork, Title: "Serve this network namespace", Status: step.Failed, Detail: err.Error(), Took: time.Since(began)}
		r.outcome.Steps = append(r.outcome.Steps, s)
		r.each(s)
	}
}

// atLast makes a request under the lock once more.
func (r *run) atLast(ctx context.Context, s action) {
	unlock, later, err := r.f.lock(ctx, r.outcome.Role, r.started)
	defer unlock()
	if later != "" || err != nil || r.outcome.Unlocked != nil {
		s.whyNot = func(*run, tables) (step.Status, string) {
			return step.Skipped, "another call of connsync failover has come meanwhile, or may have"
		}
	}
	r.step(ctx, s)
}

// awaitDaemon reads from a daemon that may be about to start. A node that fails
// has nothing to wait for.
func (r *run) awaitDaemon(ctx context.Context) (tables, error) {
	await := r.f.Await
	if await == 0 {
		await = daemonPatience
	}
	for end := time.Now().Add(await); ; {
		t, err := r.read()
		if !errors.Is(err, control.ErrNotListening) || r.outcome.Role == RoleFault || time.Now().After(end) {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func failure(err error) error {
	if errors.Is(err, control.ErrNotListening) {
		return fmt.Errorf("conntrackd does not run, so no state can be taken over: %w", err)
	}
	return err
}

// run is one call of Run.
type run struct {
	f       *Failover
	each    func(step.Step)
	asking  context.Context // outlives the caller's
	started time.Duration   // on the clock of [Clock]
	outcome Outcome
	// answer is how many states of the peer came for each time that it was asked.
	answer uint64
}

// step makes one request. It returns the look at the effect where that is for
// later, nil where it is done.
func (r *run) step(ctx context.Context, s action) (look func()) {
	began := time.Now()
	index := len(r.outcome.Steps)
	r.outcome.Steps = append(r.outcome.Steps, step.Step{ID: s.id, Title: s.title, Status: step.Running})
	r.each(r.outcome.Steps[index])
	end := func(status step.Status, detail string) {
		step := &r.outcome.Steps[index]
		step.Status, step.Detail, step.Took = status, detail, time.Since(began)
		r.each(*step)
	}
	if s.after != "" && r.statusOf(s.after) == step.Failed {
		end(step.Skipped, "not done, since the step before failed")
		return nil
	}
	before, err := r.read()
	if err == nil && s.whyNot != nil {
		if status, why := s.whyNot(r, before); status != "" {
			end(status, why)
			return nil
		}
	}
	if err == nil {
		err = s.ask(r.f.Client, r.asking)
	}
	if err != nil {
		end(step.Failed, err.Error())
		return nil
	}
	look = func() { end(s.effect(ctx, r, before)) }
	if s.late {
		return look
	}
	look()
	return nil
}

func (r *run) statusOf(id step.ID) step.Status {
	for _, s := range r.outcome.Steps {
		if s.ID == id {
			return s.Status
		}
	}
	return ""
}
