// Package dependents says of the units that systemd stops and restarts with conntrackd's
// what becomes of them.
package dependents

import (
	"context"
	"fmt"
	"strings"

	"connsync/conntrackd/service"
	"connsync/netcheck/check"
)

// Of are the dependents of the service.
func Of(ctx context.Context, s service.Service) ([]service.Dependent, error) {
	if s, ok := s.(*service.Systemd); ok {
		return s.Dependents(ctx)
	}
	return nil, nil
}

// Commands are what a save runs of the service, and the notes on the units that depend
// on it. Where they cannot be read, neither can the service, which a save says.
func Commands(ctx context.Context, of service.Service, actions ...service.Action) (commands, notes []string) {
	beside, _ := Of(ctx, of)
	for _, a := range actions {
		if s, ok := of.(*service.Systemd); ok {
			commands = append(commands, s.CommandsBeside(a, beside)...)
		} else {
			commands = append(commands, of.Commands(a)...)
		}
		if a == service.ActionRestart || a == service.ActionStop {
			notes = append(notes, notesOn(beside, a)...)
		}
	}
	return commands, notes
}

func notesOn(beside []service.Dependent, a service.Action) []string {
	var notes []string
	for _, d := range beside {
		if d.Bound && a == service.ActionStop {
			notes = append(notes, fmt.Sprintf("%s stops with conntrackd (%s): this save ends it, and systemctl start %s would start conntrackd too.", d.Unit, d.Directive, d.Unit))
			continue
		}
		notes = append(notes, fmt.Sprintf("%s depends on conntrackd (%s). This save leaves it running; a plain systemctl %s of conntrackd would not.", d.Unit, d.Directive, a))
	}
	return notes
}

// Beside adds to what was found of a unit that comes back after a crash which others
// systemd restarts then.
func Beside(f check.Finding, beside []service.Dependent) check.Finding {
	if len(beside) == 0 {
		return f
	}
	var words []string
	for _, d := range beside {
		words = append(words, fmt.Sprintf("%s (%s)", d.Unit, d.Directive))
	}
	others := "systemd restarts or stops with conntrackd, after a crash too: " + strings.Join(words, ", ") + "; a save leaves running what it can"
	if f.Status != check.Passed {
		f.Detail += "; " + others
		return f
	}
	return check.Finding{Status: check.Failed, Detail: f.Detail + "; " + others,
		Remedy: fmt.Sprintf("systemctl edit --full %s: Wants= in place of %s", beside[0].Unit, beside[0].Directive)}
}
