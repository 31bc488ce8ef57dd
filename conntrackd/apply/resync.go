package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
	"connsync/plural"
)

// statesPatience is how long the states of a peer that is heard may take to
// begin to come; 100,000 of them take 0.2 s.
const statesPatience = 800 * time.Millisecond

// restart restarts the daemon and measures for how long none answered. The new
// one is told to exchange the states as soon as it answers: what watches over
// its start may take seconds.
func (t *transaction) restart(ctx context.Context) (gap string, err error) {
	var away *downtime
	if t.before.Active && t.c.Syncs() {
		before, _ := conntrackd.Parse(t.c.Path, t.c.Old)
		after, _ := conntrackd.Parse(t.c.Path, t.c.New)
		away = watchDowntime(before.ControlSocket(), after.ControlSocket(), func() {
			t.resync, _ = failover.BeginResync(ctx, t.observer.Client, true) // else it is tried once more, and told then
		})
	}
	err = t.ask(ctx, StepRestart, "Restart conntrackd", t.service.Restart)
	if away == nil {
		return "", err
	}
	if length, ok := away.end(); ok {
		gap = gapText(length)
	}
	return gap, err
}

// askResync asks the peer for its states and sends ours, which a fresh daemon
// does not do by itself.
func (t *transaction) askResync(ctx context.Context, gap string) {
	_ = t.step(StepResync, "Exchange the states", func() (step.Status, string, error) {
		var err error
		if t.resync == nil {
			t.resync, err = failover.BeginResync(ctx, t.observer.Client, true)
		}
		detail := "asked the peer for its states and sent this node's"
		if gap != "" {
			detail = gap + "; " + detail
		}
		return step.Done, detail, err
	})
}

// awaitPeerStates sees what came of the resync once the peer's word is known.
func (t *transaction) awaitPeerStates(ctx context.Context, h health.Health) {
	if t.resync == nil || t.observer.Mode == "ALARM" { // there every state is repeated instead
		return
	}
	_ = t.step(StepFilled, "States of the peer", func() (step.Status, string, error) {
		switch v := h.Verdict; {
		case v.BothWays(), v == health.VerdictUnknown && h.PacketsRecv > 0: // in mode NOTRACK nobody acknowledges
		case v == health.VerdictReceivingOnly, v == health.VerdictMismatch, v == health.VerdictSendingOnly:
			return step.Unknown, "no states can come until both nodes receive each other's messages", nil
		default:
			return t.notYet(), "the peer was asked, and is not heard yet", nil
		}
		result, err := t.resync.Await(ctx, statesPatience)
		switch {
		case err != nil:
			return step.Unknown, err.Error(), nil
		case !result.Sent:
			return step.Failed, result.String(), nil
		}
		counted := t.exchangeNumbers(ctx)
		result.Reports = t.observer.Reports(ctx, result.Direct)
		if c := counted.Coverage; c != nil {
			result.Hold(c.Here())
		}
		detail := result.String()
		if n := counted.Holding; n.Told != nil && n.Of > 0 {
			detail += fmt.Sprintf("; the peer holds %d of %s", n.OnPeer, plural.Of(n.Of, "connection", "connections"))
		}
		return step.Done, detail, nil
	})
}

// numbersPatience is how long counting the connections may take after a save.
const numbersPatience = 3 * time.Second

// exchangeNumbers counts the connections, tells the peer, and hears what it has told.
func (t *transaction) exchangeNumbers(ctx context.Context) health.Health {
	ctx, cancel := context.WithTimeout(ctx, numbersPatience)
	defer cancel()
	f, _ := conntrackd.Parse(t.c.Path, t.c.New)
	o := &health.Observer{
		Called: t.a.Called, Service: t.service, Client: t.observer.Client, Settings: t.c.Settings, Mode: t.observer.Mode, Sockets: t.a.Sockets,
		Coverage: &coverage.Looker{Client: t.observer.Client, File: f},
		MayAsk:   func(service.State, health.Received) bool { return false }, // it was asked
	}
	if t.a.Host != nil {
		o.Host = func(ctx context.Context) mailbox.Host { return t.a.Host(ctx, t.c.Settings) }
	}
	h := o.Observe(ctx)
	if _, err := o.Coverage.Settle(ctx); err == nil {
		h = o.Observe(ctx)
		_ = o.Tell(ctx) // a peer that is not told says so
	}
	return h
}

const (
	// answerLimit is how long a restarted daemon may take to answer.
	answerLimit = 5 * time.Second
	// greetPatience is how long two daemons may take to greet each other, after
	// which they hear each other's requests.
	greetPatience = 3 * time.Second
)

// Restarted is what came of a restart.
type Restarted struct {
	PID int           // the new daemon's
	Gap time.Duration // for which no daemon answered; zero where that was not seen
	failover.Resynced
}

// RestartAndResync restarts the daemon, sees that another one runs, and has it
// exchange the states with the peer at once. An error after the restart comes with
// what was seen until then.
func RestartAndResync(ctx context.Context, s service.Service, client *control.Client) (r Restarted, err error) {
	before, err := s.State(ctx)
	if err != nil {
		return r, fmt.Errorf("could not read the state of %s: %w", service.Called(s), err)
	}
	var exchange *failover.Resync
	away := watchDowntime(client.Path, client.Path, func() {
		exchange, _ = failover.BeginResync(ctx, client, true) // else it is tried once more
	})
	left, err := service.NotBack(s.Restart(ctx))
	r.Gap, _ = away.end()
	if err == nil {
		err = awaitAnswer(ctx, client)
	}
	if err != nil {
		return r, err
	}
	after, err := s.State(ctx)
	switch r.PID = after.MainPID; {
	case err != nil:
		return r, fmt.Errorf("could not read the state of %s: %w", service.Called(s), err)
	case after.MainPID == before.MainPID:
		return r, fmt.Errorf("%s still runs as process %d", service.Called(s), before.MainPID)
	}
	if exchange == nil {
		if exchange, err = failover.BeginResync(ctx, client, true); err != nil {
			return r, fmt.Errorf("process %d runs; the states were not exchanged: %w", r.PID, err)
		}
	}
	r.Resynced, err = exchange.Await(ctx, greetPatience)
	return r, errors.Join(err, left)
}

func awaitAnswer(ctx context.Context, c *control.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	for {
		_, err := c.Runtime(ctx)
		if err == nil {
			return nil
		}
		if wait(ctx) != nil {
			return fmt.Errorf("it was restarted and does not answer: %w", err)
		}
	}
}

// wait passes a moment, or returns ctx's error.
func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Millisecond):
		return nil
	}
}
