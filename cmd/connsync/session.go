package main

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/tui"
)

// session is what the screens do to this host, from the opening of the form to
// its end. Its methods are safe for concurrent use.
type session struct {
	// saved is told of a save that enables the sync; nil where nobody is.
	saved func()

	ctx     context.Context
	node    *node
	watch   *statusWatch
	running sync.WaitGroup // what changes the host

	mu    sync.Mutex
	base  []byte // the file that the form was filled from
	empty bool   // it held no settings
}

// newSession begins where the form is filled with what is saved. ctx ends what
// goes on for the screens, and nothing that changes the host.
func newSession(ctx context.Context, n *node, filled saved) *session {
	return &session{ctx: ctx, node: n, watch: newStatusWatch(ctx, n), base: filled.content, empty: filled.none != ""}
}

// fresh says that nothing was set when the form was filled.
func (s *session) fresh() bool { return s.empty }

// wait waits for the end of what changes the host, which goes on when nobody
// watches.
func (s *session) wait() { s.running.Wait() }

// Watch sends the interfaces, and again whenever they change.
func (s *session) Watch(ctx context.Context) (<-chan []netcheck.Interface, error) {
	return netcheck.Watch(ctx)
}

// Neighbours are the addresses that were seen on an interface.
func (s *session) Neighbours(ctx context.Context, ifindex int) ([]netip.Addr, error) {
	return netcheck.Neighbours(ctx, ifindex)
}

// Plan asks the service, which is quick or given up on: a daemon of ours may
// have started since the last time.
func (s *session) Plan(settings conntrackd.Settings, firstNode bool) []netcheck.Check {
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	return s.node.plan(ctx, settings, firstNode)
}

// Review is what a save of the settings would do. It returns a
// *[conntrackd.ChangedError] where the file is not the one that the form was
// filled from.
func (s *session) Review(ctx context.Context, settings conntrackd.Settings) (tui.Review, error) {
	saved, err := s.node.loadForChange(ctx)
	if err != nil {
		return tui.Review{}, err
	}
	if err := s.stale(saved.content); err != nil {
		return tui.Review{}, err
	}
	return s.node.review(ctx, saved, settings, true)
}

// Observe takes one look at the sync by the file in force.
func (s *session) Observe(ctx context.Context) (conntrackd.Health, error) {
	health, _, err := s.watch.observe(ctx)
	return health, err
}

// stale returns a *[conntrackd.ChangedError] where the file is not the one
// that the form was filled from: what the form would save was not typed in
// view of it.
func (s *session) stale(now []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Equal(now, s.base) && (now == nil) == (s.base == nil) {
		return nil
	}
	return &conntrackd.ChangedError{Path: s.node.config, Read: s.base, Now: now}
}

// Reread fills the form anew.
func (s *session) Reread(ctx context.Context) (conntrackd.Settings, error) {
	saved, err := s.node.load(ctx)
	if err != nil {
		return conntrackd.Settings{}, err
	}
	s.rebase(saved.content)
	return saved.settings, nil
}

func (s *session) rebase(content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = content
}

// Apply carries out what was reviewed. It ends, also when the screen is left.
func (s *session) Apply(ctx context.Context, r tui.Review, each func(conntrackd.Step)) conntrackd.Outcome {
	s.running.Add(1)
	defer s.running.Done()
	outcome := s.node.applier(r).Apply(ctx, r.Candidate, each)
	if outcome.Err == nil {
		s.rebase(r.Candidate.New)
		if s.saved != nil && r.Candidate.Settings.Enabled {
			s.saved()
		}
	}
	return outcome
}

// Entries are the saves that are kept.
func (s *session) Entries(context.Context) ([]conntrackd.Entry, error) {
	return s.node.history().Entries()
}

// Change is what a save changed in the file, unified.
func (s *session) Change(_ context.Context, of conntrackd.Entry) (string, error) {
	return s.node.history().Diff(of)
}

// Undo is what rolling back a save would do.
func (s *session) Undo(ctx context.Context, of conntrackd.Entry) (tui.Review, error) {
	return s.node.reviewRollback(ctx, of.Number)
}
