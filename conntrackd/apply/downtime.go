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
	d := &downtime{stop: stop, done: make(chan struct{}), paths: []string{after}, back: back, last: time.Now()}
	if before != "" && before != after {
		d.paths = append(d.paths, before)
	}
	d.old = control.AnsweringProcess(ctx, d.paths[len(d.paths)-1]) // zero where nobody answers, and nothing is measured then
	go func() {
		defer close(d.done)
		if d.old != 0 {
			d.watch(ctx)
		}
	}()
	return d
}

func (d *downtime) watch(ctx context.Context) {
	tick := time.NewTicker(downtimePoll)
	defer tick.Stop()
	for !d.over(ctx) {
		select {
		case <-ctx.Done():
			// On a busy host the new one may not have been looked at yet.
			d.over(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

// over looks once, and reports whether the new daemon has answered.
func (d *downtime) over(ctx context.Context) bool {
	for _, path := range d.paths {
		before := time.Now()
		switch control.AnsweringProcess(ctx, path) {
		case 0:
		case d.old:
			d.last = before
		default:
			d.gap = time.Since(d.last)
			d.back()
			return true
		}
	}
	return false
}

// end ends the watch and returns how long no daemon answered; ok is false where
// that was not seen.
func (d *downtime) end() (gap time.Duration, ok bool) {
	d.stop()
	<-d.done
	return d.gap, d.gap > 0
}

// gapText is a gap in words.
func gapText(gap time.Duration) string {
	return fmt.Sprintf("conntrackd did not answer for %.2f s", gap.Seconds())
}
