package apply

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd/control"
)

// downtime watches the control socket while the daemon is restarted: what
// changes between the last answer of the old daemon and the first one of the
// new is seen by neither.
type downtime struct {
	stop  context.CancelFunc
	done  chan struct{}
	old   int      // the old daemon's process; zero where there was none
	paths []string // of the control socket
	back  func()

	last time.Time     // when the old daemon was asked what it still answered
	gap  time.Duration // zero until the new one has answered
}

// downtimePoll is how exact the gap is measured. An answer takes the daemon a
// tenth of a millisecond.
const downtimePoll = 5 * time.Millisecond

// watchDowntime begins to watch; the daemon may have another socket afterwards.
// back is called as soon as the new one answers.
func watchDowntime(before, after string, back func()) *downtime {
	ctx, stop := context.WithCancel(context.Background())
	a := &downtime{stop: stop, done: make(chan struct{}), paths: []string{after}, back: back, last: time.Now()}
	if before != "" && before != after {
		a.paths = append(a.paths, before)
	}
	a.old = control.AnsweringProcess(ctx, a.paths[len(a.paths)-1]) // zero where nobody answers, and nothing is measured then
	go func() {
		defer close(a.done)
		if a.old != 0 {
			a.watch(ctx)
		}
	}()
	return a
}

func (a *downtime) watch(ctx context.Context) {
	tick := time.NewTicker(downtimePoll)
	defer tick.Stop()
	for !a.over(ctx) {
		select {
		case <-ctx.Done():
			// On a busy host the new one may not have been looked at yet.
			a.over(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

// over looks once, and reports whether the new daemon has answered.
func (a *downtime) over(ctx context.Context) bool {
	for _, path := range a.paths {
		asked := time.Now()
		switch control.AnsweringProcess(ctx, path) {
		case 0:
		case a.old:
			a.last = asked
		default:
			a.gap = time.Since(a.last)
			a.back()
			return true
		}
	}
	return false
}

// end ends the watch and returns how long no daemon answered; ok is false where that was not seen.
func (a *downtime) end() (gap time.Duration, ok bool) {
	a.stop()
	<-a.done
	return a.gap, a.gap > 0
}

// gapText is a gap in words.
func gapText(gap time.Duration) string {
	return fmt.Sprintf("conntrackd was away for %.2f s", gap.Seconds())
}
