package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connsync/conntrackd/service/sdunit"
	"connsync/shell"
)

// Dependent is a running unit that systemd stops with the daemon's, and restarts with it.
type Dependent = sdunit.Dependent

// Dependents are the running units that a plain "systemctl stop" or "systemctl restart"
// of the daemon's unit takes along, those that depend on one of them too. Restart and Stop
// leave them running, apart from those that are Bound, which no stop spares. What a failed
// start has ended comes back with the next Restart or Stop that succeeds, or is named by a
// [NotBackError].
func (s *Systemd) Dependents(ctx context.Context) ([]Dependent, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, s.refused(ctx, "", err)
	}
	defer conn.Close()
	all, err := conn.GetAllPropertiesContext(ctx, s.Unit)
	if err != nil {
		return nil, s.refused(ctx, "", err)
	}
	found, err := sdunit.WithTheirs(ctx, conn, s.Unit, sdunit.Dependents(all, s.Unit))
	if err != nil {
		return nil, s.refused(ctx, "", err)
	}
	return found, nil
}

// jobMode is how a job is to deal with other units: those that depend on the daemon's keep
// running where there are any. VRRP is not to go down for a save.
func jobMode(beside []Dependent) string {
	if len(beside) > 0 {
		return "ignore-requirements"
	}
	return "replace"
}

// CommandsBeside are the [Systemd.Commands] where there are dependents: those of a job
// that leaves them running.
func (s *Systemd) CommandsBeside(a Action, beside []Dependent) []string {
	commands := s.Commands(a)
	for i, c := range commands {
		if verb := string(a) + " " + s.Unit; len(beside) > 0 && (a == ActionRestart || a == ActionStop) && c == "systemctl "+verb {
			commands[i] = "systemctl --job-mode=" + jobMode(beside) + " " + verb
		}
	}
	return commands
}

// recall notes the dependents that run before an action. A daemon that fails to start takes
// them along: the bound ones at once, those that require it with the first automatic restart,
// which fails like the start. The action that succeeds after it brings them back.
func (s *Systemd) recall(beside []Dependent) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range beside {
		if !slices.Contains(s.withIt, d) {
			s.withIt = append(s.withIt, d)
		}
	}
}

// bringBack starts the noted dependents again that do not run any more, after a stop those
// alone that can run without the daemon: the others wait for its next start.
func (s *Systemd) bringBack(ctx context.Context, conn systemdConn, after Action) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var bound []Dependent
	var errs []error
	for _, d := range s.withIt {
		if after == ActionStop && d.Bound {
			bound = append(bound, d)
			continue
		}
		all, err := conn.GetAllPropertiesContext(ctx, d.Unit)
		if active := property[string](all, "ActiveState"); err == nil && !slices.Contains([]string{"active", "activating", "reloading", "refreshing"}, active) {
			mode := "replace"
			if after == ActionStop {
				mode = "ignore-requirements" // or it would start the daemon
			}
			_, err = conn.StartUnitContext(ctx, d.Unit, mode, nil)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s ended with %s and was not started again: %w; mend the cause, then %s", d.Unit, s.Unit, err, shell.Line("systemctl", "start", d.Unit)))
		}
	}
	s.withIt = bound
	if errs != nil {
		return &NotBackError{errors.Join(errs...)}
	}
	return nil
}
