package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd/health"
)

// peerWait looks at the sync after a save that has not found the nodes in sync, again and
// again until they are, and counts the time. The zero value waits for nobody.
type peerWait struct {
	observer Observer
	ctx      context.Context
	run      *run
	since    time.Time
	passed   time.Duration
	looking  bool
	over     bool
	cause    string // of the newest verdict
}

type (
	// peerDue tells that a second of the wait is over.
	peerDue struct{ run *run }
	// peerLooked is what a look at the sync found.
	peerLooked struct {
		run    *run
		health health.Health
	}
)

// start begins to wait, where there is somebody to ask.
func (w *peerWait) start() tea.Cmd {
	if w.observer == nil {
		return nil
	}
	w.run, w.since = newRun(w.run), time.Now()
	return tea.Batch(w.tick(), w.look())
}

func (w *peerWait) stop() { w.run = newRun(w.run) }

// begun reports whether the peer is, or was, waited for.
func (w *peerWait) begun() bool { return !w.since.IsZero() }

func (w *peerWait) tick() tea.Cmd {
	current := w.run
	return tea.Tick(statusEvery, func(time.Time) tea.Msg { return peerDue{current} })
}

func (w *peerWait) look() tea.Cmd {
	current, observer, parent := w.run, w.observer, w.ctx
	w.looking = true
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, statusPatience)
		defer cancel()
		found, err := observer.Observe(ctx)
		if err != nil {
			found = health.Health{Verdict: health.VerdictUnknown, Cause: err.Error()}
		}
		return peerLooked{current, found}
	}
}

func (w *peerWait) update(msg tea.Msg) tea.Cmd {
	due, ok := msg.(peerDue)
	if !ok || due.run != w.run || w.over {
		return nil
	}
	w.passed = time.Since(w.since)
	if w.looking {
		return w.tick()
	}
	return tea.Batch(w.tick(), w.look())
}

// take reports whether a look was this wait's; the first one that finds the nodes in
// sync ends it.
func (w *peerWait) take(msg peerLooked) bool {
	if msg.run != w.run || w.over {
		return false
	}
	w.looking, w.cause = false, msg.health.Cause
	w.over = msg.health.Verdict == health.VerdictTwoWay
	return true
}

// took is the time since the beginning, by the second for ten minutes and then by
// the minute: a line need not carry more.
func (w *peerWait) took() string {
	if w.passed >= 10*time.Minute {
		return fmt.Sprintf("%d min", w.passed/time.Minute)
	}
	return fmt.Sprintf("%d:%02d", w.passed/time.Minute, w.passed/time.Second%60)
}
