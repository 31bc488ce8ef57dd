// Package sdunit reads what systemd says of a unit in its properties: who depends on it,
// and why it was not started; and what the unit's files say of its command.
package sdunit

import (
	"context"
	"slices"
)

// Properties is a connection that tells those of a unit.
type Properties interface {
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
}

// Property is the zero value where systemd is too old for the property or
// gives it another type.
func Property[T any](all map[string]any, name string) T {
	v, _ := all[name].(T)
	return v
}

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

// WithTheirs adds to the dependents of the unit those of theirs, and leaves out what does
// not run.
func WithTheirs(ctx context.Context, conn Properties, unit string, found []Dependent) ([]Dependent, error) {
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
		if active := Property[string](all, "ActiveState"); active == "inactive" || active == "failed" {
			found = slices.Delete(found, i, i+1)
			continue
		}
		for _, next := range Dependents(all, d.Unit) {
			next.Bound = d.Bound // an ordinary job stops what it binds
			found = append(found, next)
		}
		i++
	}
	return found, nil
}

// Dependents are the units that the properties of a unit name.
func Dependents(all map[string]any, unit string) []Dependent {
	var found []Dependent
	for _, kind := range dependences() {
		for _, name := range Property[[]string](all, kind.property) {
			d := Dependent{Unit: name, Directive: kind.directive + unit, Bound: kind.binds}
			if kind.own {
				d.Directive = kind.directive + name
			}
			found = append(found, d)
		}
	}
	return found
}
