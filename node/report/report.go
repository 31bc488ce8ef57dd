package report

import (
	"bytes"
	"context"
	"errors"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/events"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
	"connsync/node"
)

// Reporter settles on a verdict again and again, records it and tells the peer.
type Reporter struct {
	Options node.Options // of the node
	// Say is called with why the peer could not be told, when that changes, and with
	// "reports to the peer" when it was; nil says nothing.
	Say func(string)

	node   *node.Node
	record events.Recorder
	said   string
	// looker is kept for the next report, so that this needs one look at the connections
	// and not two. It is of the file with the content.
	looker  *coverage.Looker
	content []byte
	version health.Version
	asking  pace
}

const (
	// every is the time between two reports. The peer believes one for three times as long.
	every = 30 * time.Second
	// first is the time until the first report: a daemon that has just started is still
	// greeting its peer.
	first = 10 * time.Second
)

// Run reports until ctx ends, in the network namespace of the calling thread.
func (r *Reporter) Run(ctx context.Context) {
	for pause := first; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		began := time.Now()
		err := r.report(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.say("failed to report to the peer: " + err.Error())
		}
		pause = rest(time.Since(began), r.lookRest())
	}
}

// rest is the time to the next report after one that took so long; lookRest is how long
// the connections are not to be looked at again, a minute at most.
func rest(took, lookRest time.Duration) time.Duration {
	return max(max(every, lookRest)-took, every/2)
}

func (r *Reporter) lookRest() time.Duration {
	if r.looker == nil {
		return 0
	}
	return r.looker.Rest()
}

func (r *Reporter) say(line string) {
	if line != r.said && r.Say != nil {
		r.Say(line)
	}
	r.said = line
}

// report makes one report, unless the daemon does not run.
func (r *Reporter) report(ctx context.Context) error {
	if r.node == nil {
		found, err := node.Find(ctx, r.Options)
		if err != nil {
			return err
		}
		r.node, r.record.StateDir = found, found.StateDir
	}
	saved, err := r.node.Load(ctx)
	if err != nil {
		return err
	}
	o := r.observer(saved)
	h := o.Observe(ctx)
	if h.Verdict == health.VerdictStopped {
		return r.record.Look(h) // it may be on its way to run again
	}
	if !r.node.Unmanaged() {
		apply.RememberStart(h.Service, r.node.RuntimeDir, r.node.Config)
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	_ = o.Start(listening) // without it the verdict says less
	h = o.Settle(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // cut short, it has nothing to say
	}
	if now, err := r.node.Load(ctx); err != nil || !bytes.Equal(now.Content, saved.Content) {
		return err // a file that was replaced meanwhile: the next report is of the new one
	}
	var recorded error
	if !r.node.Unmanaged() {
		recorded = r.record.Settled(h)
	}
	if h.Verdict == health.VerdictStopped {
		return recorded
	}
	released := r.letGo(ctx, o.Client, h)
	if err := errors.Join(o.Tell(ctx), released); err != nil {
		return err
	}
	r.say("reports to the peer")
	return recorded
}

// toldMargin is how long what the peer told may have taken to this node.
const toldMargin = 2 * time.Second

// letGo has a backup let go of the connections that the peer has taken over, by its report.
func (r *Reporter) letGo(ctx context.Context, client *control.Client, h health.Health) error {
	told := h.Holding.Told
	if told == nil || !h.Verdict.BothWays() || h.Coverage == nil || h.Coverage.Role != coverage.RoleBackup {
		return nil
	}
	f := failover.Failover{Client: client, RuntimeDir: r.node.RuntimeDir}
	_, err := f.LetGo(ctx, told.SpeaksFor(), told.Age+told.Counted+toldMargin)
	return err
}

// observer is a new one for each report: what one saw half a minute ago says nothing of
// the sync now. What the node lacks of the peer it asks for, each time after a longer pause.
func (r *Reporter) observer(saved node.Saved) *health.Observer {
	o := r.node.Observer(saved)
	may := o.MayAsk
	o.MayAsk = func(run service.State, now health.Received) bool {
		return r.asking.due(time.Now()) && may(run, now) && r.asking.ask(time.Now())
	}
	if r.looker == nil || !bytes.Equal(r.content, saved.Content) {
		r.looker, r.content = o.Coverage, saved.Content
	}
	o.Coverage, o.Version = r.looker, &r.version
	return o
}
