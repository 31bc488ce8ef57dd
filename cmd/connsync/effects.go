package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"connsync/conntrackd"
	"connsync/tui"
)

// stale returns a *[conntrackd.ChangedError] where the file is not the one
// that the form was filled from: what the form would save was not typed in
// view of it.
func (e *effects) stale(now []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if bytes.Equal(now, e.base) && (now == nil) == (e.base == nil) {
		return nil
	}
	return &conntrackd.ChangedError{Path: e.node.config, Read: e.base, Now: now}
}

// Reread fills the form anew.
func (e *effects) Reread(ctx context.Context) (conntrackd.Settings, error) {
	saved, err := e.node.load(ctx)
	if err != nil {
		return conntrackd.Settings{}, err
	}
	e.rebase(saved.content)
	return saved.settings, nil
}

func (e *effects) rebase(content []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.base = content
}

func (e *effects) Apply(ctx context.Context, r tui.Review, each func(conntrackd.Step)) conntrackd.Outcome {
	e.running.Add(1)
	defer e.running.Done()
	outcome := e.node.applier(r).Apply(ctx, r.Candidate, each)
	if outcome.Err == nil {
		e.rebase(r.Candidate.New)
		if e.saved != nil && r.Candidate.Settings.Enabled {
			e.saved()
		}
	}
	return outcome
}

// beganText says what an interrupt leaves.
const beganText = "connsync: what has begun is finished or taken back first; that takes seconds, and a minute or two at most"

// finish waits for the end of what has begun, which goes on when nobody
// watches, and says so where that takes a while to who has left the form by a
// key. Who was ended by a signal may have a line that takes nothing any more.
func (e *effects) finish(byKey bool, w io.Writer) {
	done := make(chan struct{})
	go func() {
		e.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(200 * time.Millisecond):
		if byKey {
			go fmt.Fprintln(w, beganText) // which may wait for the line
		}
		<-done
	}
}

// tellInterrupt says what an interrupt leaves, should there be one. The
// function that it returns ends that.
func (n *node) tellInterrupt(ctx context.Context) (stop func()) {
	told := make(chan struct{})
	end := context.AfterFunc(ctx, func() {
		defer close(told)
		fmt.Fprintln(n.err, beganText)
	})
	return func() {
		if end() {
			return
		}
		select {
		case <-told:
		case <-time.After(time.Second): // a line that takes nothing
		}
	}
}

func (e *effects) Entries(context.Context) ([]conntrackd.Entry, error) {
	return e.node.history().Entries()
}

func (e *effects) Change(_ context.Context, of conntrackd.Entry) (string, error) {
	return e.node.history().Diff(of)
}

func (e *effects) Undo(ctx context.Context, of conntrackd.Entry) (tui.Review, error) {
	return e.node.reviewRollback(ctx, of.Number)
}
