package main

import (
	"bytes"
	"context"
	"sync"

	"connsync/conntrackd"
)

// lookout observes the sync by the file in force, which anybody may change
// meanwhile. It keeps one observer as long as the file stays as it is: what it
// has seen before belongs to the verdict.
type lookout struct {
	ctx  context.Context // ends the ear
	node *node

	mu       sync.Mutex
	observer *conntrackd.Observer
	observed []byte // the file it was made for
	stop     context.CancelFunc
}

// observe takes one look, at the settings that it returns too. An error means
// that the file cannot be worked with.
func (l *lookout) observe(ctx context.Context) (conntrackd.Health, conntrackd.Settings, error) {
	saved, err := l.node.load(ctx)
	if err != nil {
		return conntrackd.Health{}, saved.settings, err
	}
	return l.by(saved).Observe(ctx), saved.settings, nil
}

func (l *lookout) by(s saved) *conntrackd.Observer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.observer == nil || !bytes.Equal(l.observed, s.content) {
		if l.stop != nil {
			l.stop()
		}
		var ctx context.Context
		ctx, l.stop = context.WithCancel(l.ctx)
		l.observer, l.observed = l.node.observer(s), s.content
		_ = l.observer.Start(ctx) // without an ear the observer says less, and says so
	}
	return l.observer
}
