package health

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/plural"
)

// missingStates are the states of the peer that this node did not hold although
// both nodes heard each other.
type missingStates struct {
	states uint64
	why    mailbox.Cause // emptied, or not written
	had    bool          // there had been some in this run of the daemon
	uptime time.Duration // of the daemon, when that was found
	at     time.Time
}

// Received is what has come of the peer in a run of the daemon: what it took, and what
// it could not.
type Received struct{ Taken, Refused uint64 }

// answerPatience is how long the peer's states may take to begin to come; they
// take milliseconds.
const answerPatience = 600 * time.Millisecond

// fewStates are so few that a node which holds none of them need not ask again: the
// messages of the peer's connsync are such.
const fewStates = 10

// askPause is the least time between two questions of one observer.
const askPause = 10 * time.Second

// askForMissingStates looks behind a healthy heartbeat. A daemon that has none of the
// peer's states, or could not write some, stays so until each of them changes, unless
// it asks for them. Whether the peer has any only the peer knows, so it is asked: by a
// node that has nothing of it, or has room again for what it refused; and once for each
// thing that has come. What comes then had been missing.
func (o *Observer) askForMissingStates(ctx context.Context, e *evidence) {
	if len(e.readings) == 0 {
		return
	}
	o.mu.Lock()
	if !o.recalled && o.Asked != nil {
		o.asked = o.Asked(e.service)
	}
	o.recalled = true
	e.missing, e.asked = o.missing, o.asked
	lacks, now := e.lacks(), e.received()
	may := lacks != mailbox.CauseNone && e.hearing() == works && e.heard() == works && time.Since(o.tried) >= askPause
	if may {
		o.tried = time.Now()
	}
	o.mu.Unlock()
	if !may || o.MayAsk != nil && !o.MayAsk(e.service, now) {
		return
	}
	last, before := e.last(), o.here(ctx, e)
	if o.Client.RequestResync(ctx) != nil {
		return
	}
	states := o.awaitStates(ctx, last)
	if before == 0 || before > 0 && lacks == mailbox.CauseNotWritten {
		// conntrackd counts as updates also what was not there. On a node with
		// connections of its own others begin meanwhile.
		states = uint64(max(o.here(ctx, e)-before, 0))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = &now
	e.asked = o.asked
	if states < 2 && lacks == mailbox.CauseEmptied {
		return // one alone is news of a connection as likely as an answer
	}
	e.missing = missingStates{states, lacks, now.Taken >= max(states, fewStates), e.now.Sub(e.service.Since), time.Now()}
	o.missing = e.missing
}

// here is how many connections this kernel holds now; -1 where that cannot be told, or is
// not where the peer's states go.
func (o *Observer) here(ctx context.Context, e *evidence) int {
	if o.Coverage == nil || !e.last().Direct {
		return -1
	}
	c, err := o.Coverage.LookNow(ctx)
	if err != nil {
		return -1
	}
	return c.Here()
}

// received is what has come of the peer by the newest reading.
func (e evidence) received() Received {
	last := e.last()
	return Received{Taken: last.Injected + last.ExternalCreated, Refused: last.InjectFailed + last.ExternalNoSpace}
}

// refused are the states of the peer that this node could not take since the peer was
// last asked for all of them.
func (e evidence) refused() uint64 {
	now := e.received().Refused
	if e.asked == nil {
		return now
	}
	return now - min(now, e.asked.Refused)
}

// lacks says why this node has to ask the peer for its states, if so.
func (e evidence) lacks() mailbox.Cause {
	now := e.received()
	switch {
	case e.mode == "ALARM" || e.now.Sub(e.service.Since) < greetingTime:
		return mailbox.CauseNone // there each state is repeated anyway, or they are on their way
	case e.refused() > 0 && !e.full():
		return mailbox.CauseNotWritten
	case e.empty() && (e.asked == nil || now.Taken >= e.asked.Taken+fewStates):
		return mailbox.CauseEmptied
	}
	return mailbox.CauseNone
}

// empty says that nothing of the peer is here, although there was time for it. What the
// peer's connsync says does not count, where the connections were counted. Connections
// that have ended here were not removed, and the peer's cache may still have them as they
// were: it would bring them back. A primary's external cache is empty once it was
// committed.
func (e evidence) empty() bool {
	last := e.last()
	switch {
	case e.coverage != nil && !last.Direct && e.coverage.Role == coverage.RolePrimary:
		return false
	case e.coverage == nil || e.coverage.Pending, last.Direct && last.Injected == 0:
		return last.External == 0 && last.Injected == 0
	case last.Direct:
		return e.coverage.Here() == 0 && e.coverage.Ended == 0
	}
	return e.holding.External == 0
}

// full says that there is no room for states of the peer.
func (e evidence) full() bool {
	if !e.last().Direct {
		return e.hashLimitSet > 0 && e.last().External >= uint64(e.hashLimitSet)
	}
	return e.tableFull()
}

// tableFull says that the kernel takes no more entries. Its number goes up and down a
// little at the limit.
func (e evidence) tableFull() bool {
	h := e.holding
	return h.TableMax > 0 && h.Table >= h.TableMax-h.TableMax/100
}

// shortage says in one word what this node lacks of the peer.
func (e evidence) shortage() mailbox.Cause {
	switch {
	case e.refused() > 0 && !e.last().Direct:
		return mailbox.CauseCacheFull
	case e.refused() > 0 && e.tableFull():
		return mailbox.CauseTableFull
	case e.refused() > 0:
		return mailbox.CauseNotWritten
	}
	return mailbox.CauseNone
}

// awaitStates returns how many states of the peer have come since a reading,
// once no more of them do. Of those that go into the kernel the ones count that
// conntrackd counts as created: those that are there already are written again.
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
		now := cache.External - min(cache.External, since.External) + cache.News - min(cache.News, since.News)
		if now > 0 && now == came {
			return came
		}
		came = now
	}
}

// judgeLossAndMissingStates says what is lost now before what was missing, of which it may
// be the reason.
func (e evidence) judgeLossAndMissingStates() judgement {
	lost := e.judgeLoss()
	missing, told := e.judgeMissingStates()
	switch {
	case !told:
		return lost
	case lost.Verdict != VerdictLosing:
		return missing
	}
	lost.Cause += "; " + missing.Cause
	if missing.Next != "" {
		lost.Next += "; " + missing.Next
	}
	return lost
}

// judgeMissingStates is for a sync that works both ways, on a node that had to be
// filled. It is told as long as a reading counts.
func (e evidence) judgeMissingStates() (judgement, bool) {
	m := e.missing
	switch {
	case m.states == 0 || e.now.Sub(m.at) > keepReadings:
		return judgement{}, false
	case m.why == mailbox.CauseNotWritten:
		return judgement{VerdictLosing, "this node had refused states of the peer; they were asked for now, and came", ""}, true
	case m.had:
		return judgement{VerdictLosing,
			fmt.Sprintf("this node held none of the peer's %s any more: they had been removed here, or the peer had not sent them since conntrackd was started there; they were asked for now, and came", plural.Of(m.states, "state", "states")),
			"see who empties the connection table on this node (conntrack -F, conntrackd -f), and whether conntrackd -B runs on the peer after every start"}, true
	}
	return judgement{VerdictLosing,
		fmt.Sprintf("this node held none of the peer's %s, although it heard the peer: conntrackd was started %s before and had not got them; they were asked for now, and came",
			plural.Of(m.states, "state", "states"), m.uptime.Round(time.Second)),
		"let the service ask for them at every start: save with the host prepared (startup-resync), on both nodes"}, true
}

// judgeRefused is for a node that could not take states of the peer.
func (e evidence) judgeRefused() judgement {
	n := plural.Of(e.refused(), "state", "states")
	switch e.shortage() {
	case mailbox.CauseTableFull:
		return judgement{VerdictPartial,
			fmt.Sprintf("the connection table of this node's kernel is full (%d of %d entries): %s from the peer could not be written", e.holding.Table, e.holding.TableMax, n),
			fmt.Sprintf("raise net.netfilter.nf_conntrack_max to %d (sysctl -w), on both nodes; then %s asks the peer for them again", 2*e.holding.TableMax, e.called.Command("status"))}
	case mailbox.CauseCacheFull:
		return judgement{VerdictPartial, fmt.Sprintf("the external cache is full (%s): %s from the peer could not be stored", plural.Of(e.last().External, "state", "states"), n),
			"raise HashLimit in conntrackd.conf to " + e.hashLimit()}
	}
	return judgement{VerdictPartial, fmt.Sprintf("this node's kernel refused %s of the peer", n),
		"read conntrackd's log for lines with \"inject\": they name the entry and the error"}
}
