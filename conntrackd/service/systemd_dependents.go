package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Dependent is a running unit that systemd stops with the daemon's, and restarts with it.
type Dependent struct {
	Unit string // its full name
	// Directive is why: the line of a unit file that says so, such as
	// "Requires=conntrackd.service".
	Directive string
	// Bound says that the unit ends whenever the daemon's is stopped, be it by a job
	// that leaves other units alone.
	Bound bool
}

// dependence is a property of a unit whose values are the units that a job to stop or
// restart it goes on to (systemd.unit(5)).
type dependence struct {
	property  string
	directive string // in the file of the other unit, before the name
	own       bool   // it is in the unit's own file, before the other's name
	binds     bool
}

func dependences() []dependence {
	return []dependence{
		{property: "BoundBy", directive: "BindsTo=", binds: true},
		{property: "RequiredBy", directive: "Requires="},
		{property: "ConsistsOf", directive: "PartOf="},
		{property: "PropagatesStopTo", directive: "PropagatesStopTo=", own: true},
	}
}

// Dependents are the running units that a plain "systemctl stop" or "systemctl restart"
// of the daemon's unit takes along, those that depend on one of them too. Restart and Stop
// leave them running, apart from those that are Bound, which no stop spares.
func (s *Systemd) Dependents(ctx context.Context) ([]Dependent, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, s.refused(ctx, "", err)
	}
	defer conn.Close()
	found, err := dependents(ctx, conn, s.Unit)
	if err != nil {
		return nil, s.refused(ctx, "", err)
	}
	return found, nil
}

// dependents walks from the unit to those that depend on it. One that does not run is
// neither stopped nor restarted, nor is what depends on it for its sake.
func dependents(ctx context.Context, conn systemdConn, unit string) ([]Dependent, error) {
	all, err := conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return nil, err
	}
	return withTheirs(ctx, conn, unit, dependentsIn(all, unit))
}

// withTheirs adds to the dependents of the unit those of theirs, and leaves out what does
// not run.
func withTheirs(ctx context.Context, conn systemdConn, unit string, found []Dependent) ([]Dependent, error) {
	seen := []string{unit}
	for i := 0; i < len(found); {
		d := found[i]
		if slices.Contains(seen, d.Unit) {
			found = slices.Delete(found, i, i+1)
			continue
		}
		seen = append(seen, d.Unit)
		all, err := conn.GetAllPropertiesContext(ctx, d.Unit)
		if err != nil {
			return nil, err
		}
		if active := property[string](all, "ActiveState"); active == "inactive" || active == "failed" {
			found = slices.Delete(found, i, i+1)
			continue
		}
		for _, next := range dependentsIn(all, d.Unit) {
			next.Bound = d.Bound // an ordinary job stops what it binds
			found = append(found, next)
		}
		i++
	}
	return found, nil
}

// dependentsIn are the units that the properties of a unit name.
func dependentsIn(all map[string]any, unit string) []Dependent {
	var found []Dependent
	for _, kind := range dependences() {
		for _, name := range property[[]string](all, kind.property) {
			d := Dependent{Unit: name, Directive: kind.directive + unit, Bound: kind.binds}
			if kind.own {
				d.Directive = kind.directive + name
			}
			found = append(found, d)
		}
	}
	return found
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

// recall notes the bound dependents that run before an action. They end with a daemon that
// fails to start; the start that succeeds after it brings them back.
func (s *Systemd) recall(beside []Dependent) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range beside {
		if d.Bound && !slices.Contains(s.withIt, d.Unit) {
			s.withIt = append(s.withIt, d.Unit)
		}
	}
}

// bringBack starts the noted dependents again that do not run any more.
func (s *Systemd) bringBack(ctx context.Context, conn systemdConn) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var errs []error
	for _, name := range s.withIt {
		all, err := conn.GetAllPropertiesContext(ctx, name)
		if active := property[string](all, "ActiveState"); err == nil && (active == "inactive" || active == "failed") {
			_, err = conn.StartUnitContext(ctx, name, "replace", nil)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("start %s again, which had ended with %s: %w", name, s.Unit, err))
		}
	}
	s.withIt = nil
	return errors.Join(errs...)
}
