package node

import (
	"bytes"
	"context"
	"sync"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/events"
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
	told     time.Time // when the peer was told what is here
	record   events.Recorder
}

// tellEvery is how often a node that is watched tells the peer what it holds, as the
// metrics timer does.
const tellEvery = 30 * time.Second

// NewStatusWatch watches n until ctx ends.
func NewStatusWatch(ctx context.Context, n *Node) *StatusWatch {
	return &StatusWatch{ctx: ctx, node: n, record: events.Recorder{StateDir: n.StateDir}}
}

// Observe takes one look, at the settings that it returns too. An error means
// that the file cannot be worked with.
func (w *StatusWatch) Observe(ctx context.Context) (health.Health, conntrackd.Settings, error) {
	saved, err := w.node.Load(ctx)
	if err != nil {
		return health.Health{}, saved.Settings, err
	}
	o := w.by(saved)
	found := o.Observe(ctx)
	if w.tells(found) {
		_ = o.Tell(ctx) // a peer that is not told says so
	}
	if !w.node.Unmanaged() {
		_ = w.record.Look(found) // what is not on record, nobody has seen
	}
	return found, saved.Settings, nil
}

// tells says whether it is time to tell the peer what is here.
func (w *StatusWatch) tells(h health.Health) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.Coverage == nil || h.Coverage.Pending || time.Since(w.told) < tellEvery {
		return false
	}
	w.told = time.Now()
	return true
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
