package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
)

// rollBack puts file and service back as they were, sees that they are, and
// returns the cause with what went wrong on the way. It does not stop for a
// cancelled context.
func (t *transaction) rollBack(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	t.verdict = health.VerdictUnknown
	started := time.Now()
	unprepared := errors.Join(t.undoAside(ctx), t.unprepare(ctx)) // before the service starts again
	err := t.step(StepRollback, "Roll back", func() (step.Status, string, error) {
		fileErr, detail := t.restoreFile(), ""
		if errors.Is(fileErr, hostfile.ErrNotDurable) { // it is back, and what is not certain is told
			fileErr, detail = nil, fileErr.Error()
		}
		return step.Done, detail, errors.Join(fileErr, t.restoreService(ctx))
	})
	t.tellLeft()
	if err = errors.Join(unprepared, err); err != nil {
		return fmt.Errorf("%w; the rollback failed: %w", cause, err)
	}
	err = t.step(StepVerify, "Verify the rollback", func() (step.Status, string, error) {
		detail, err := t.verify(ctx, started)
		return step.Done, detail, err
	})
	if err != nil {
		return fmt.Errorf("%w; the rollback could not be verified: %w", cause, err)
	}
	t.rolledBack = true
	return cause
}

func (t *transaction) restoreFile() error {
	if !t.wrote || hostfile.Unchanged(t.c.Path, t.c.Old) == nil { // its text is the old one again
		return nil
	}
	return t.replace(t.entry.Access, t.c.Path, t.c.New, t.c.Old)
}

// restoreService asks only for what the transaction has changed.
func (t *transaction) restoreService(ctx context.Context) error {
	if !t.touched {
		return nil
	}
	run := t.service.Stop
	if t.before.Active {
		run = t.service.Restart
	}
	started := time.Now()
	err := t.leftStopped(ctx, started, t.inTime(ctx, run))
	if !t.enabled {
		return err
	}
	boot := t.service.Disable
	if t.before.Enabled {
		boot = t.service.Enable
	}
	return errors.Join(err, t.inTime(ctx, boot))
}

// leftStopped adds to the error of a service that does not run as before why, and what is
// left to do.
func (t *transaction) leftStopped(ctx context.Context, started time.Time, err error) error {
	if err = t.withLogSince(ctx, started, err); err == nil || !t.before.Active {
		return err
	}
	state, unread := service.SettledState(ctx, t.service)
	commands := t.service.Commands(service.ActionRestart) // of which the last one starts it
	if unread != nil || state.Active || len(commands) == 0 {
		return err
	}
	return fmt.Errorf("%w; conntrackd is stopped now, which stops the sync; mend the cause, then %s", err, commands[len(commands)-1])
}

// verify compares file and service with what they were.
func (t *transaction) verify(ctx context.Context, started time.Time) (string, error) {
	if err := hostfile.Unchanged(t.c.Path, t.c.Old); err != nil {
		return "", err
	}
	if t.service == nil {
		return "the old file is back", nil
	}
	state, err := service.SettledState(ctx, t.service)
	switch {
	case err != nil:
		return "", err
	case state.Active != t.before.Active:
		return "", fmt.Errorf("%s was running: %t, and is now: %t (%s)", t.service.Name(), t.before.Active, state.Active, state.Detail)
	case t.enabled && state.Enabled != t.before.Enabled:
		return "", fmt.Errorf("%s was enabled: %t, and is now: %t", t.service.Name(), t.before.Enabled, state.Enabled)
	case !state.Active:
		return "the old file is back, and conntrackd is stopped as before", nil
	case !t.touched:
		return "the old file is back, and conntrackd was not restarted", nil
	}
	return t.verifyRunning(ctx, state, started)
}

func (t *transaction) verifyRunning(ctx context.Context, state service.State, started time.Time) (string, error) {
	detail := "the old file is back, and conntrackd runs with it"
	switch proof := t.prove(state.MainPID, t.c.Old); {
	case errors.Is(proof, conntrackd.ErrCannotLook):
		detail = "the old file is back, and conntrackd runs; whether with it is unknown: " + proof.Error()
	case proof != nil && t.beforeProved:
		return "", proof
	case proof != nil:
		return "the old file is back, and conntrackd runs, but not with it: " + proof.Error(), t.staysUp(ctx, state, started.Add(t.settle()))
	}
	old, ok := t.c.OldListening()
	if ok && t.beforeBound {
		bound, _, err := t.awaitBound(ctx, old, t.c.Old)
		if err != nil {
			return "", err
		}
		state = bound
		detail += " on " + health.ListenAddress(old)
	}
	err := t.staysUp(ctx, state, started.Add(t.settle()))
	if err == nil && t.prove(state.MainPID, t.c.Old) == nil {
		t.start().note(state.MainPID, t.c.Old)
	}
	return detail, err
}
