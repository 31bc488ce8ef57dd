package health

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd/control"
)

// missingStates are the states of the peer that this node did not hold although
// both nodes heard each other.
type missingStates struct {
	states uint64
	uptime time.Duration // of the daemon, when that was found
	at     time.Time
}

// answerPatience is how long the peer's states may take to begin to come; they
// take milliseconds.
const answerPatience = 600 * time.Millisecond

// askForMissingStates looks behind a healthy heartbeat: a daemon that was just
// started and has none of the peer's states stays so, until each of them changes,
// unless it asks for them. Whether the peer has any only the peer knows, so it is asked:
// once in a run of the daemon, and only by a node that has nothing of it. What
// comes had been missing.
func (o *Observer) askForMissingStates(ctx context.Context, e *evidence) {
	o.mu.Lock()
	e.missing = o.missing
	may := !o.askedPeer
	o.mu.Unlock()
	if !may || !e.missesStates() || judge(*e).Verdict != VerdictTwoWay {
		return
	}
	o.mu.Lock()
	o.askedPeer = true
	o.mu.Unlock()
	if o.MayAsk != nil && !o.MayAsk(e.service) {
		return
	}
	last := e.last()
	if o.Client.RequestResync(ctx) != nil {
		return
	}
	states := o.awaitStates(ctx, last)
	if states < 2 {
		return // one alone is news of a connection as likely as an answer
	}
	e.missing = missingStates{states, e.now.Sub(e.service.Since), time.Now()}
	o.mu.Lock()
	o.missing = e.missing
	o.mu.Unlock()
}

// missesStates says that nothing of the peer has come in this run, although there
// was time for it.
func (e evidence) missesStates() bool {
	if len(e.readings) == 0 || e.mode == "ALARM" || e.now.Sub(e.service.Since) < greetingTime {
		return false
	}
	last := e.last()
	return last.External == 0 && last.Injected == 0
}

// awaitStates returns how many states of the peer have come since a reading,
// once no more of them do. States that the kernel's table had already do not
// count.
func (o *Observer) awaitStates(ctx context.Context, since control.Counters) (came uint64) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return came
		case <-time.After(control.BulkPause):
		}
		cache, err := o.Client.Cache(ctx)
		if err != nil {
			continue
		}
		now := cache.External - min(cache.External, since.External) + cache.Injected - min(cache.Injected, since.Injected)
		if now > 0 && now == came {
			return came
		}
		came = now
	}
}

// judgeMissingStates is for a sync that works both ways, on a node that had to be
// filled. It is told as long as a reading counts.
func (e evidence) judgeMissingStates() (judgement, bool) {
	if e.missing.states == 0 || e.now.Sub(e.missing.at) > keepReadings {
		return judgement{}, false
	}
	return judgement{VerdictLosing,
		fmt.Sprintf("this node held none of the peer's %s, although it heard the peer: conntrackd was started %s before and had not got them; they were asked for now, and came",
			control.States(e.missing.states), e.missing.uptime.Round(time.Second)),
		"let the service ask for them at every start: save with the host prepared (startup-resync), on both nodes"}, true
}
