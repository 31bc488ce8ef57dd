package node

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/events"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/step"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/live"
	"connsync/node/candidates"
)

// Session is what the screens do to this host, from the opening of the form to
// its end. Its methods are safe for concurrent use.
type Session struct {
	// OnEnable is called after a save that enables the sync; nil for none. Set it
	// before the session is used.
	OnEnable func()

	ctx     context.Context
	node    *Node
	watch   *StatusWatch
	running sync.WaitGroup // what changes the host

	mu    sync.Mutex
	base  []byte // the file that the form was filled from
	fresh bool   // it held no settings
}

// NewSession begins where the form is filled with what is saved. ctx ends what
// goes on for the screens, and nothing that changes the host.
func NewSession(ctx context.Context, n *Node, filled Saved) *Session {
	return &Session{ctx: ctx, node: n, watch: NewStatusWatch(ctx, n), base: filled.Content, fresh: filled.WhyNoSettings != ""}
}

// Fresh says that nothing was set when the form was filled.
func (s *Session) Fresh() bool { return s.fresh }

// Wait waits for the end of what changes the host, which goes on when nobody
// watches.
func (s *Session) Wait() { s.running.Wait() }

// Watch sends the interfaces, and again whenever they change.
func (s *Session) Watch(ctx context.Context) (<-chan []netcheck.Interface, error) {
	virtual, _ := virtualAddresses() // those that could be read
	return candidates.Watch(ctx, virtual)
}

// Neighbours are the addresses that were seen on an interface.
func (s *Session) Neighbours(ctx context.Context, ifindex int) ([]netip.Addr, error) {
	return netcheck.Neighbours(ctx, ifindex)
}

// Plan asks the service, which is quick or given up on: a daemon of ours may
// have started since the last time.
func (s *Session) Plan(settings conntrackd.Settings, firstNode bool) []check.Check {
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	return s.node.Plan(ctx, settings, firstNode)
}

// LinkPlan asks how the link of the settings is now, with the daemon left alone.
func (s *Session) LinkPlan(settings conntrackd.Settings) []check.Check {
	// Those that cannot be read are told by the checks before a save.
	virtual, _ := virtualAddresses()
	return live.Plan(netcheck.Target{Flow: flowOf(settings), Enabled: settings.Enabled, Virtual: virtual})
}

// Review is what a save of the settings would do. It returns a
// *[hostfile.ChangedError] where the file is not the one that the form was
// filled from. With firewall the save adds connsync's rules to the firewall's too.
func (s *Session) Review(ctx context.Context, settings conntrackd.Settings, firewall bool) (apply.Review, error) {
	saved, err := s.node.LoadForChange(ctx)
	if err != nil {
		return apply.Review{}, err
	}
	if err := s.stale(saved.Content); err != nil {
		return apply.Review{}, err
	}
	r, err := s.node.Review(ctx, saved, settings, true)
	if r.NeedsPeer() {
		r.Heard = live.Heard(ctx, netcheck.Target{Flow: flowOf(settings)})
	}
	if err == nil && firewall {
		aside, err := s.node.firewallAside(ctx, settings)
		return r.With(aside), err
	}
	return r, err
}

// Observe takes one look at the sync by the file in force.
func (s *Session) Observe(ctx context.Context) (health.Health, error) {
	health, _, err := s.watch.Observe(ctx)
	return health, err
}

// stale returns a *[hostfile.ChangedError] where the file is not the one
// that the form was filled from: what the form would save was not typed in
// view of it.
func (s *Session) stale(now []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Equal(now, s.base) && (now == nil) == (s.base == nil) {
		return nil
	}
	return &hostfile.ChangedError{Path: s.node.Config, Read: s.base, Now: now}
}

// Elsewhere returns the settings of the file where it is not the one that the form was
// filled from, or was left with by this session; nil where it is.
func (s *Session) Elsewhere(ctx context.Context) (*conntrackd.Settings, error) {
	content, err := conntrackd.ReadConfig(s.node.Config)
	if err != nil || s.stale(content) == nil {
		return nil, err
	}
	saved, err := s.node.Load(ctx)
	return &saved.Settings, err
}

// Reread takes the file as it is now as what the form is filled from, and returns
// its settings.
func (s *Session) Reread(ctx context.Context) (conntrackd.Settings, error) {
	saved, err := s.node.Load(ctx)
	if err != nil {
		return conntrackd.Settings{}, err
	}
	s.rebase(saved.Content)
	return saved.Settings, nil
}

func (s *Session) rebase(content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = content
}

// Apply carries out what was reviewed. It goes on to its end, also when the screen is
// left; see [Session.Wait].
func (s *Session) Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome {
	s.running.Add(1)
	defer s.running.Done()
	outcome := s.node.Applier(r).Apply(ctx, r.Candidate, each)
	if outcome.Err == nil {
		s.rebase(r.Candidate.New)
		if s.OnEnable != nil && r.Candidate.Settings.Enabled {
			s.OnEnable()
		}
	}
	return outcome
}

// Events is what has happened to the sync of this node.
func (s *Session) Events(ctx context.Context) events.Log { return s.node.Events(ctx) }

// Entries are the saves that are kept, the newest first.
func (s *Session) Entries(context.Context) ([]apply.Entry, error) {
	h := s.node.History()
	entries, err := h.Entries()
	return h.WithChanges(entries), err
}

// Change is what a save changed.
func (s *Session) Change(_ context.Context, of apply.Entry) (apply.Change, error) {
	return s.node.History().Change(of)
}

// Undo is what rolling back a save would do.
func (s *Session) Undo(ctx context.Context, of apply.Entry) (apply.Review, error) {
	return s.node.ReviewRollback(ctx, of.Number)
}
