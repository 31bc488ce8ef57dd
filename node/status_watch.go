package node

import (
	"bytes"
	"context"
	"sync"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
)

// StatusWatch observes the sync by the file in force, which anybody may change
// meanwhile. It keeps one observer as long as the file stays as it is: what it
// has seen before belongs to the verdict.
type StatusWatch struct {
	ctx  context.Context // ends the listening on the link
	node *Node

	mu       sync.Mutex
	observer *health.Observer
	observed []byte // the file it was made for
	stop     context.CancelFunc
}

// NewStatusWatch watches n until ctx ends.
func NewStatusWatch(ctx context.Context, n *Node) *StatusWatch {
	return &StatusWatch{ctx: ctx, node: n}
}

// Observe takes one look, at the settings that it returns too. An error means
// that the file cannot be worked with.
func (w *StatusWatch) Observe(ctx context.Context) (health.Health, conntrackd.Settings, error) {
	saved, err := w.node.Load(ctx)
	if err != nil {
		return health.Health{}, saved.Settings, err
	}
	return w.by(saved).Observe(ctx), saved.Settings, nil
}

func (w *StatusWatch) by(s Saved) *health.Observer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observer == nil || !bytes.Equal(w.observed, s.Content) {
		if w.stop != nil {
			w.stop()
		}
		var ctx context.Context
		ctx, w.stop = context.WithCancel(w.ctx)
		w.observer, w.observed = w.node.Observer(s), s.Content
		_ = w.observer.Start(ctx) // without it the observer says less, and says so
	}
	return w.observer
}
