package node

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/events"
	"connsync/conntrackd/health"
	"connsync/conntrackd/refresh"
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
// refresh does.
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
	if errors.Is(ctx.Err(), context.Canceled) { // what was not looked at to its end says nothing of the sync
		return found, saved.Settings, ctx.Err()
	}
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

// Events is what has happened to the sync of this node.
func (n *Node) Events(ctx context.Context) events.Log {
	sources := events.Sources{StateDir: n.StateDir, Service: n.Service}
	saved, err := n.Load(ctx)
	if err == nil {
		sources.LogFile = saved.File.LogFile()
	}
	log := sources.Read(ctx)
	if err != nil {
		log.Unread = append(log.Unread, events.Unread{Source: n.Config, Error: err.Error()})
	}
	return log
}

// RecordVerdict keeps a verdict that was settled on, for [Node.Events].
func (n *Node) RecordVerdict(h health.Health) error {
	return (&events.Recorder{StateDir: n.StateDir}).Settled(h)
}

// wasEnabled says whether the newest save in force enabled the sync.
func (n *Node) wasEnabled() bool {
	e, err := n.History().Newest(n.Config)
	return err == nil && e.Asked.Active
}

// RefreshReport says what keeps connections in use alive on the peer of a sync with these
// settings.
func (n *Node) RefreshReport(s conntrackd.Settings) refresh.Report {
	r := refresh.NewReport(n.RuntimeDir)
	r.Needed = s.Complete() && !s.ExternalCache
	r.Installed, r.AtBoot, r.Due = n.Preparer().RefreshInstalled()
	return r
}
