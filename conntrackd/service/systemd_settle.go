package service

import (
	"context"
	"fmt"
	"time"
)

// settle watches a daemon that has just been started.
func (s *Systemd) settle(ctx context.Context, conn systemdConn, began time.Time) error {
	first, err := readUnit(ctx, conn, s.Unit)
	if err != nil {
		return s.refused(ctx, ActionRestart, err)
	}
	u := first
	end := time.NewTimer(s.Settle)
	defer end.Stop()
	tick := time.NewTicker(changeInterval)
	defer tick.Stop()
	for last := false; ; {
		if !u.up() || u.pid == 0 || u.pid != first.pid || u.restarts != first.restarts {
			return s.unstable(ctx, conn, first, u, began)
		}
		if last {
			return nil
		}
		select {
		case <-ctx.Done():
			return s.failure(ActionRestart, ErrTimeout, "", ctx.Err())
		case <-tick.C:
		case <-end.C:
			last = true
		}
		if u, err = readUnit(ctx, conn, s.Unit); err != nil {
			return s.refused(ctx, ActionRestart, err)
		}
	}
}

// unstable explains why a daemon that was up, as first says, is not as u says.
func (s *Systemd) unstable(ctx context.Context, conn systemdConn, first, u unit, began time.Time) error {
	failed := s.failure(ActionRestart, ErrUnstable, "", nil)
	if first.active == "inactive" && first.pid == 0 && first.unmet != "" {
		failed.Reason = ErrFailed // the job is done, without a start
	}
	u, failed.Detail, failed.Err = s.ended(ctx, conn, u)
	if u.up() && u.pid != 0 && u.pid != first.pid {
		failed.Detail = fmt.Sprintf("process %d ended and was started again as process %d", first.pid, u.pid)
	}
	failed.Lines = s.said(ctx, began)
	return failed
}

// ended follows a unit that is on its way to another state until it is there,
// for changeTimeout at most, and returns what it came to, with the words for
// it. Where it was started again on the way, that is how it ended before, if
// that was seen. An error says why it could not be followed any further.
func (s *Systemd) ended(ctx context.Context, conn systemdConn, u unit) (unit, string, error) {
	waiting, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	tick := time.NewTicker(changeInterval)
	defer tick.Stop()
	var before unit
	var err error
	for err == nil && waiting.Err() == nil {
		if u.failed() {
			before = u
		}
		if !u.changing() {
			break
		}
		select {
		case <-waiting.Done():
			continue
		case <-tick.C:
		}
		var now unit
		if now, err = readUnit(waiting, conn, s.Unit); err == nil {
			u = now
		}
	}
	if waiting.Err() != nil {
		err = ctx.Err() // nil where it is the limit that has passed
	}
	switch {
	case before.failed() && (u.up() || u.changing()):
		return before, before.words(), err
	case u.changing() && err == nil:
		return u, u.words() + ", still so after " + changeTimeout.String(), nil
	}
	return u, u.words(), err
}
