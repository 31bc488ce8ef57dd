package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
	"connsync/conntrackd/trial"
)

// serve has the service do what the settings say and sees that it does.
func (t *transaction) serve(ctx context.Context) error {
	switch {
	case t.service == nil:
		return nil
	case !t.c.WantedService().Active:
		return t.stopped(ctx)
	}
	if t.c.Syncs() {
		t.startObserver()
	}
	if err := t.boot(ctx, t.c.WantedService().Enabled); err != nil {
		return err
	}
	restarted := time.Now()
	gap, err := t.restart(ctx)
	if err != nil {
		return err
	}
	if !t.c.Syncs() {
		return t.onlyStaysUp(ctx, restarted)
	}
	var up service.State
	err = t.step(StepBound, "Listening on "+health.ListenAddress(t.c.Settings), func() (status step.Status, detail string, err error) {
		up, status, detail, err = t.bound(ctx)
		return status, detail, err
	})
	if err != nil {
		return err
	}
	// At once: until then a flow that ends here is lost.
	t.askResync(ctx, gap)
	return t.step(StepStaysUp, "Staying up", func() (step.Status, string, error) {
		err := t.staysUp(ctx, up, restarted.Add(t.settle()))
		if err != nil {
			return "", "", t.withLog(ctx, err)
		}
		return t.stillBound(up.MainPID)
	})
}

// onlyStaysUp is the proof for a file without a link that can be looked at,
// such as one for statistics only.
func (t *transaction) onlyStaysUp(ctx context.Context, restarted time.Time) error {
	return t.step(StepStaysUp, "Staying up", func() (step.Status, string, error) {
		up, err := service.SettledState(ctx, t.service)
		if err == nil {
			err = t.staysUp(ctx, up, restarted.Add(t.settle()))
		}
		if err != nil {
			return "", "", t.withLog(ctx, err)
		}
		if status, detail, err := t.proved(up.MainPID); status != step.Done {
			return status, detail, err
		}
		return step.Done, "there is no sync link in this file to look at", nil
	})
}

func (t *transaction) settle() time.Duration {
	if t.a.Settle == 0 {
		return defaultSettle
	}
	return t.a.Settle
}

// stopped is serve for settings with Enabled false. The file stays.
func (t *transaction) stopped(ctx context.Context) error {
	t.verdict = health.VerdictStopped
	if err := t.boot(ctx, t.c.WantedService().Enabled); err != nil {
		return err
	}
	if !t.before.Active && !t.before.Starting && !t.before.Killed && !t.before.Ended {
		t.skip(StepStop, "Stop conntrackd", "it is stopped already")
		return nil
	}
	return t.ask(ctx, StepStop, "Stop conntrackd", func(ctx context.Context) error {
		left, err := service.NotBack(t.service.Stop(ctx))
		if err != nil {
			return err
		}
		state, err := t.service.State(ctx)
		if err == nil && state.Active {
			err = fmt.Errorf("stop %s: it still runs (process %d)", t.service.Name(), state.MainPID)
		}
		// A daemon of another network namespace goes on beside this one's.
		if other := service.Elsewhere(t.service, state, t.c.Path); err == nil && other != nil && service.ServesHere(t.c.Path) == nil {
			err = other
		}
		if err == nil {
			err = left
		}
		return err
	})
}

// boot settles whether the daemon starts at boot.
func (t *transaction) boot(ctx context.Context, on bool) error {
	id, title, action, do := StepEnable, "Start at boot", service.ActionEnable, t.service.Enable
	if !on {
		id, title, action, do = StepDisable, "Do not start at boot", service.ActionDisable, t.service.Disable
	}
	switch {
	case len(t.service.Commands(action)) == 0:
		t.skip(id, title, "no service manager: connsync does not start conntrackd at boot")
		return nil
	case t.before.Enabled == on:
		t.skip(id, title, "already set")
		return nil
	}
	t.enabled = true
	return t.ask(ctx, id, title, do)
}

// ask has the service do something, in bounded time, and tells in the
// daemon's own words why when it does not.
func (t *transaction) ask(ctx context.Context, id step.ID, title string, do func(context.Context) error) error {
	t.touched = true
	err := t.step(id, title, func() (step.Status, string, error) {
		if err := t.inTime(ctx, do); err != nil {
			return "", "", t.withLog(ctx, err)
		}
		return step.Done, "", nil
	})
	t.tellLeft()
	return err
}

// inTime has a service do something in bounded time, and keeps what is left beside that for
// tellLeft.
func (t *transaction) inTime(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
	defer cancel()
	left, err := service.NotBack(do(ctx))
	t.left = errors.Join(t.left, left)
	return err
}

// tellLeft tells of units that ended with the daemon's and were not started again. It fails
// no save: conntrackd is as asked.
func (t *transaction) tellLeft() {
	if left := t.left; left != nil {
		t.left = nil
		_ = t.step(StepDependents, "Start again what ended with conntrackd", func() (step.Status, string, error) { return "", "", left })
	}
}

// withLog adds what the daemon has said since the transaction began.
func (t *transaction) withLog(ctx context.Context, err error) error {
	return t.withLogSince(ctx, t.began, err)
}

func (t *transaction) withLogSince(ctx context.Context, since time.Time, err error) error {
	if err == nil {
		return nil
	}
	lines, logErr := t.service.Log(ctx, since)
	if logErr != nil {
		return fmt.Errorf("%w (its log cannot be read: %w)", err, logErr)
	}
	said := service.DaemonLines(service.Messages([]byte(strings.Join(lines, "\n"))))
	var fresh []string // a service that tries again has it said again
	for _, s := range said {
		// The unit's own requests to a daemon that did not start are no words of it.
		if !strings.HasPrefix(s, trial.NotConnected) && !strings.Contains(err.Error(), s) && !slices.Contains(fresh, s) {
			fresh = append(fresh, s)
		}
	}
	if len(fresh) == 0 {
		return err
	}
	return fmt.Errorf("%w; conntrackd logged: %s", err, strings.Join(fresh[:min(len(fresh), 5)], "; "))
}

// bound waits until the daemon's sockets are as asked for. That they could
// not be read does not count as a failure.
func (t *transaction) bound(ctx context.Context) (service.State, step.Status, string, error) {
	state, detail, err := t.awaitBound(ctx, t.c.Settings, t.c.New)
	switch {
	case errors.Is(err, conntrackd.ErrCannotLook):
		return state, step.Unknown, err.Error(), nil
	case err != nil:
		return state, "", "", t.withLog(ctx, fmt.Errorf("%w: %w", errDaemon, err))
	}
	return state, step.Done, detail, nil
}

// stillBound looks at the sockets a second time: the sending one is in the
// kernel's table only after its first message.
func (t *transaction) stillBound(pid int) (step.Status, string, error) {
	if status, detail, err := t.proved(pid); status != step.Done {
		return status, detail, err
	}
	sockets, err := t.sockets(pid, t.c.Settings)
	if err != nil {
		return step.Unknown, err.Error(), nil
	}
	if problem := health.BoundProblem(sockets, t.c.Settings); problem != "" {
		return "", "", fmt.Errorf("%w: %s", errDaemon, problem)
	}
	if sockets.SendBuffer == 0 {
		return step.Done, "the send buffer was not seen: nothing was sent yet", nil
	}
	return step.Done, fmt.Sprintf("send buffer of %d bytes in force", sockets.SendBuffer), nil
}

// proved says whether the daemon pid runs with the new file, at the end of its start.
func (t *transaction) proved(pid int) (step.Status, string, error) {
	switch err := t.prove(pid, t.c.New); {
	case errors.Is(err, conntrackd.ErrCannotLook):
		return step.Unknown, err.Error(), nil
	case err != nil:
		return step.Failed, "", fmt.Errorf("%w: %w", errDaemon, err)
	}
	t.start().note(pid, t.c.New)
	return step.Done, "", nil
}

// awaitBound returns the state in which the sockets were right, and the daemon was seen to
// run with the file in this content.
func (t *transaction) awaitBound(ctx context.Context, s conntrackd.Settings, content []byte) (service.State, string, error) {
	waiting, cancel := context.WithTimeout(ctx, boundTimeout)
	defer cancel()
	problem, changing := "it does not run", false
	for {
		state, err := t.service.State(waiting)
		if err == nil {
			changing = state.Changing
		}
		switch {
		case err != nil && waiting.Err() == nil:
			return state, "", fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
		case err == nil && state.Active:
			proof := t.prove(state.MainPID, content)
			if proof != nil && !errors.Is(proof, conntrackd.ErrCannotLook) {
				return state, "", proof
			}
			sockets, err := t.sockets(state.MainPID, s)
			if err == nil {
				err = proof
			}
			if problem = health.BoundProblem(sockets, s); err == nil && problem == "" {
				return state, fmt.Sprintf("receive buffer of %d bytes in force", sockets.ReceiveBuffer), nil
			}
			if errors.Is(err, conntrackd.ErrCannotLook) && (problem == "" || service.ProcessLives(state.MainPID)) {
				return state, "", err
			}
		case err == nil:
			problem = "it does not run: " + state.Detail
		}
		if wait(waiting) == nil {
			continue
		}
		if changing { // what it comes to says why
			if state, err = service.SettledState(ctx, t.service); err == nil && !state.Active {
				problem = "it does not run: " + state.Detail
			}
		}
		return state, "", errors.New(problem)
	}
}

// staysUp watches the daemon until a point in time.
func (t *transaction) staysUp(ctx context.Context, first service.State, until time.Time) error {
	for {
		state, err := service.SettledState(ctx, t.service)
		switch {
		case err != nil:
			return fmt.Errorf("could not read the state of %s: %w", t.service.Name(), err)
		case !state.Active:
			return fmt.Errorf("%w: it ended soon after its start: %s", errDaemon, state.Detail)
		case state.MainPID != first.MainPID || state.Restarts > first.Restarts:
			return fmt.Errorf("%w: it ended soon after its start and was started again (process %d, now %d)", errDaemon, first.MainPID, state.MainPID)
		case !time.Now().Before(until):
			return nil
		}
		for range 10 {
			if service.Pause(ctx) != nil {
				return ctx.Err()
			}
		}
	}
}

// startObserver listens on the link before the daemon starts, since the peer
// answers its first message.
func (t *transaction) startObserver() {
	client := t.a.Client
	if client == nil {
		client = control.NewClient
	}
	f, _ := conntrackd.Parse(t.c.Path, t.c.New)
	links, _ := f.EachLink()
	t.observer = &health.Observer{
		Called: t.a.Called, Service: t.service, Client: client(f.ControlSocket()), Settings: t.c.Settings, Links: links,
		Mode: f.Mode(), Sockets: t.a.Sockets, Listen: t.a.Listen,
	}
	if t.a.Coverage != nil {
		t.observer.Coverage = t.a.Coverage(t.observer.Client, f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.stopListening = cancel
	if err := t.observer.Start(ctx); err != nil {
		cancel() // proof goes by the counters then
	}
}

// proof has the states exchanged and waits for the peer's word. Nothing in it
// fails the save.
func (t *transaction) proof(ctx context.Context) {
	if t.service == nil || !t.c.Syncs() {
		return
	}
	if t.observer == nil {
		t.startObserver()
	}
	patience := t.a.Patience
	switch {
	case t.a.FirstNode:
		patience = time.Millisecond
	case patience == 0:
		patience = defaultPatience
	}
	var h health.Health
	_ = t.step(StepHeard, "Heard the peer", func() (step.Status, string, error) {
		h = t.observer.Watch(ctx, patience, nil)
		status, detail := t.heardStatus(h)
		return status, detail, nil
	})
	_ = t.step(StepHeardBy, "Heard by the peer", func() (step.Status, string, error) {
		// A peer that was heard late has had no time to acknowledge; in the other modes
		// none ever does.
		if h.Verdict == health.VerdictUnknown && h.PacketsRecv > 0 && t.observer.Mode == "FTFW" {
			h = t.observer.Watch(ctx, patience, nil)
		}
		switch v := h.Verdict; {
		case v.BothWays(), v == health.VerdictSendingOnly:
			return step.Done, "", nil
		case v == health.VerdictReceivingOnly, v == health.VerdictMismatch:
			return step.Failed, h.Cause, nil
		}
		return t.notYet(), h.Cause, nil
	})
	t.verdict = h.Verdict
	t.awaitPeerStates(ctx, h)
}

func (t *transaction) heardStatus(h health.Health) (step.Status, string) {
	switch {
	case h.Verdict.BothWays(), h.Verdict == health.VerdictReceivingOnly, h.Verdict == health.VerdictMismatch:
		return step.Done, ""
	case h.Verdict == health.VerdictUnknown && h.PacketsRecv > 0:
		return step.Done, ""
	case t.a.FirstNode:
		return step.Skipped, "this is the first node of the pair"
	case h.Verdict == health.VerdictUnknown:
		return step.Unknown, h.Cause
	}
	return step.Failed, h.Cause
}

// notYet is the status of what was not seen before the time was over: the first node of a
// pair has nobody to see.
func (t *transaction) notYet() step.Status {
	if t.a.FirstNode {
		return step.Skipped
	}
	return step.Unknown
}
