package conntrackd

import (
	"context"
	"time"
)

// filledPatience is how long the states of a peer that is heard may take to
// begin to come; 100,000 of them take 0.2 s.
const filledPatience = 800 * time.Millisecond

// restart restarts the daemon and measures for how long none answered. The new
// one is told to exchange the states as soon as it answers: what watches over
// its start may take seconds.
func (t *transaction) restart(ctx context.Context) (gap string, err error) {
	var away *absence
	if t.before.Active && t.c.syncs() {
		away = watchAbsence(ControlSocket(t.c.Old), ControlSocket(t.c.New), func() {
			t.resync, _ = t.observer.Client.BeginResync(ctx, true) // else it is tried once more, and told then
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
	_ = t.step(StepResync, "Exchange the states", func() (StepStatus, string, error) {
		var err error
		if t.resync == nil {
			t.resync, err = t.observer.Client.BeginResync(ctx, true)
		}
		detail := "asked the peer for its states and sent ours"
		if gap != "" {
			detail = gap + "; " + detail
		}
		return StepDone, detail, err
	})
}

// filled sees what came of the resync once the peer's word is known.
func (t *transaction) filled(ctx context.Context, health Health) {
	if t.resync == nil || t.observer.Mode == "ALARM" { // there every state is repeated instead
		return
	}
	_ = t.step(StepFilled, "States of the peer", func() (StepStatus, string, error) {
		switch health.Verdict {
		case VerdictTwoWay, VerdictLosing:
		case VerdictReceivingOnly, VerdictMismatch, VerdictSendingOnly:
			return StepUnknown, "as long as not both nodes hear each other, none can be expected", nil
		default:
			return t.notYet(), "the peer was asked, and is not heard yet", nil
		}
		result, err := t.resync.Await(ctx, filledPatience)
		switch {
		case err != nil:
			return StepUnknown, err.Error(), nil
		case !result.Sent:
			return StepFailed, result.String(), nil
		}
		return StepDone, result.String(), nil
	})
}
