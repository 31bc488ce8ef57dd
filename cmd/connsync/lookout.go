package main

import (
	"bytes"
	"context"
	"sync"

	"connsync/conntrackd"
)

// statusWatch observes the sync by the file in force, which anybody may change
// meanwhile. It keeps one observer as long as the file stays as it is: what it
// has seen before belongs to the verdict.
type statusWatch struct {
	ctx  context.Context // ends the ear
	node *node

	mu       sync.Mutex
	observer *conntrackd.Observer
	observed []byte // the file it was made for
	stop     context.CancelFunc
}

// newStatusWatch watches n until ctx ends.
func newStatusWatch(ctx context.Context, n *node) *statusWatch {
	return &statusWatch{ctx: ctx, node: n}
}

// observe takes one look, at the settings that it returns too. An error means
// that the file cannot be worked with.
func (w *statusWatch) observe(ctx context.Context) (conntrackd.Health, conntrackd.Settings, error) {
	saved, err := w.node.load(ctx)
	if err != nil {
		return conntrackd.Health{}, saved.settings, err
	}
	return w.by(saved).Observe(ctx), saved.settings, nil
}

func (w *statusWatch) by(s saved) *conntrackd.Observer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observer == nil || !bytes.Equal(w.observed, s.content) {
		if w.stop != nil {
			w.stop()
		}
		var ctx context.Context
		ctx, w.stop = context.WithCancel(w.ctx)
		w.observer, w.observed = w.node.observer(s), s.content
		_ = w.observer.Start(ctx) // without an ear the observer says less, and says so
	}
	return w.observer
}
