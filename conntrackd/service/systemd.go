package service

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"connsync/conntrackd/service/journal"
	"connsync/conntrackd/service/sdunit"
)

// DefaultUnit is the unit of Debian's, Red Hat's and SUSE's packages.
const DefaultUnit = "conntrackd.service"

// Systemd is conntrackd as a unit of systemd, over D-Bus. Make it with
// [NewSystemd]; its methods may be called concurrently once the fields are set.
type Systemd struct {
	// Unit is the full name of the unit.
	Unit string
	// Wait bounds every job, such as one restart. systemd's own limit is 90 s,
	// and a Type=notify unit whose file says "Systemd off" always reaches it.
	Wait time.Duration
	// Settle is how long the daemon has to stay up, with the same process and
	// no automatic restart, before Restart believes in it.
	Settle time.Duration

	dial    func(context.Context) (systemdConn, error)
	dirs    []string // of the unit files
	journal func(ctx context.Context, unit string, since time.Time) ([]string, error)

	mutex  sync.Mutex
	withIt []Dependent // units that may have ended with the daemon's, and are to come back with it
}

// NewSystemd returns the named unit, [DefaultUnit] when name is blank, with the
// ordinary limits. It does not look whether there is such a unit.
func NewSystemd(name string) *Systemd {
	if name == "" {
		name = DefaultUnit
	}
	if !strings.HasSuffix(name, ".service") {
		name += ".service"
	}
	return &Systemd{
		Unit:    name,
		Wait:    15 * time.Second,
		Settle:  2500 * time.Millisecond,
		dial:    dialSystemd,
		journal: journal.Read,
		dirs:    sdunit.Dirs(),
	}
}

var _ Service = (*Systemd)(nil)

// Name is the unit's name.
func (s *Systemd) Name() string { return s.Unit }

// Commands are what systemctl would be told for the same.
func (s *Systemd) Commands(a Action) []string {
	switch a {
	case ActionRestart:
		return []string{"systemctl reset-failed " + s.Unit, "systemctl restart " + s.Unit}
	case ActionStop, ActionEnable, ActionDisable:
		return []string{"systemctl " + string(a) + " " + s.Unit}
	}
	return nil
}

// State reads the unit. A unit that does not exist is a state, not an error.
func (s *Systemd) State(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, u, err := s.open(ctx, "")
	if err != nil {
		return State{}, err
	}
	defer conn.Close()
	state := u.state()
	if state.Masked {
		state.Unmask = "systemctl unmask " + s.Unit
	}
	if state.Present && u.load != "masked" {
		state.Enabled, err = enabledAtBoot(ctx, conn, s.Unit)
		if err == nil {
			state.StartedBy, err = sdunit.Starter(ctx, conn, s.dirs, s.Unit, u.starters, func(ctx context.Context, name string) (bool, error) { return enabledAtBoot(ctx, conn, name) })
		}
		if err != nil {
			return State{}, s.refused(ctx, "", err)
		}
	}
	return state, nil
}

// Restart restarts the daemon and watches it for Settle. It clears the
// unit's failures first: after five quick ones systemd refuses even a good
// start for ten seconds. Units that depend on the daemon's are left running.
func (s *Systemd) Restart(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	conn, u, err := s.open(ctx, ActionRestart)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := s.usable(ActionRestart, u); err != nil {
		return err
	}
	if u.beside, err = sdunit.WithTheirs(ctx, conn, s.Unit, u.beside); err != nil {
		return s.refused(ctx, ActionRestart, err)
	}
	s.recall(u.beside)
	if err = s.restart(ctx, conn, u, began); errors.Is(err, ErrStartLimit) {
		// Automatic restarts came in between; the unit has failed now, and
		// there are none any more.
		err = s.restart(ctx, conn, u, began)
	}
	if err == nil {
		err = s.settle(ctx, conn, began)
	}
	if err != nil {
		return err
	}
	return s.bringBack(ctx, conn, ActionRestart)
}

func (s *Systemd) restart(ctx context.Context, conn systemdConn, u unit, began time.Time) error {
	if err := conn.ResetFailedUnitContext(ctx, s.Unit); err != nil && !isNoSuchUnit(err) {
		return s.refused(ctx, ActionRestart, err)
	}
	return s.job(ctx, conn, ActionRestart, u, began)
}

// Stop ends the daemon, and any automatic restart that is due. It does so for
// a masked unit too, which may have been running when it was masked.
func (s *Systemd) Stop(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	conn, u, err := s.open(ctx, ActionStop)
	if err != nil {
		return err
	}
	defer conn.Close()
	if u.active == "inactive" && !u.queued {
		return nil
	}
	if u.beside, err = sdunit.WithTheirs(ctx, conn, s.Unit, u.beside); err != nil {
		return s.refused(ctx, ActionStop, err)
	}
	s.recall(u.beside)
	if err := s.job(ctx, conn, ActionStop, u, began); err != nil {
		return err
	}
	if u, err = readUnit(ctx, conn, s.Unit); err != nil {
		return s.refused(ctx, ActionStop, err)
	}
	if u.pid != 0 {
		return s.failure(ActionStop, ErrRefused, u.words(), nil)
	}
	return s.bringBack(ctx, conn, ActionStop)
}

// bounded ends everything an action does, with room for what explains a job
// that took all of Wait.
func (s *Systemd) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.Wait+s.Settle+10*time.Second)
}

// open connects and reads the unit.
func (s *Systemd) open(ctx context.Context, a Action) (systemdConn, unit, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, unit{}, s.refused(ctx, a, err)
	}
	u, err := readUnit(ctx, conn, s.Unit)
	if err != nil {
		conn.Close()
		return nil, unit{}, s.refused(ctx, a, err)
	}
	return conn, u, nil
}

// usable says why a unit can be neither started nor enabled, if so.
func (s *Systemd) usable(a Action, u unit) error {
	switch u.load {
	case "loaded":
		return nil
	case "masked":
		return s.failure(a, ErrMasked, "unmask it with systemctl unmask "+s.Unit, nil)
	case "not-found":
		return s.failure(a, ErrNotFound, "", nil)
	}
	return s.failure(a, ErrRefused, u.words(), nil)
}

// job runs one job of the unit, which is as u says, to its result.
func (s *Systemd) job(ctx context.Context, conn systemdConn, a Action, u unit, began time.Time) error {
	waiting, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	start, mode := conn.RestartUnitContext, jobMode(u.beside)
	switch {
	case a == ActionStop:
		start = conn.StopUnitContext
	case len(u.beside) > 0 && (u.active == "inactive" || u.active == "failed"):
		// A start leaves its dependents alone, and starts what the unit requires itself.
		start, mode = conn.StartUnitContext, "replace"
	}
	// Room for the result: the library sends it with a lock held, and would
	// stand still for good if nobody listened any more.
	done := make(chan string, 1)
	if _, err := start(waiting, s.Unit, mode, done); err != nil {
		if waiting.Err() != nil {
			return s.late(ctx, conn, a, began)
		}
		return s.refused(ctx, a, err)
	}
	select {
	case result := <-done:
		if result == "done" {
			return nil
		}
		return s.unsuccessful(ctx, conn, a, result, began)
	case <-waiting.Done():
		return s.late(ctx, conn, a, began)
	}
}

// unsuccessful explains a job that ended without success.
func (s *Systemd) unsuccessful(ctx context.Context, conn systemdConn, a Action, result string, began time.Time) error {
	failed := s.failure(a, ErrFailed, "", nil)
	if a != ActionRestart {
		failed.Reason = ErrRefused
	}
	u, err := readUnit(ctx, conn, s.Unit)
	if err == nil {
		u, failed.Detail, err = s.ended(ctx, conn, u)
	}
	failed.Err = err
	switch {
	case u.result == "start-limit-hit":
		failed.Reason = ErrStartLimit
	case result != "failed": // canceled, timeout, dependency, skipped: the job's own reason
		failed.Detail = strings.TrimSpace("job " + result + ", unit " + failed.Detail)
	}
	failed.Lines = s.said(ctx, began)
	return failed
}

// late explains a job that is still running. When it was the caller who had
// no more time, there is none to look either.
func (s *Systemd) late(ctx context.Context, conn systemdConn, a Action, began time.Time) error {
	if err := ctx.Err(); err != nil {
		return s.failure(a, ErrTimeout, "", err)
	}
	failed := s.failure(a, ErrTimeout, "", nil)
	looking, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if u, err := readUnit(looking, conn, s.Unit); err == nil {
		failed.Detail = u.words() + " after " + s.Wait.String()
		if u.active == "activating" && u.notify() {
			failed.Detail += `, a Type=notify unit waits for the daemon's word, which "Systemd off" in its file suppresses`
		}
	}
	failed.Lines = s.said(looking, began)
	return failed
}

// said returns the daemon's last words for an error. Not to have them must not
// hide the error itself, so their absence is no second one.
func (s *Systemd) said(ctx context.Context, began time.Time) []string {
	lines, err := s.Log(ctx, began)
	if err != nil {
		return nil
	}
	const most = 20
	return lines[max(0, len(lines)-most):]
}

// Log returns what the journal holds of the daemon, without systemd's own
// remarks about the unit; the newest 500 lines at most.
func (s *Systemd) Log(ctx context.Context, t time.Time) ([]string, error) {
	return s.journal(ctx, s.Unit, t)
}

func (s *Systemd) failure(a Action, reason error, detail string, cause error) *Error {
	return &Error{Action: a, Name: s.Unit, Reason: reason, Detail: detail, Err: cause}
}
