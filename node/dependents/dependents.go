// Package dependents says what a service manager does around conntrackd: with the units
// that systemd stops and restarts with it, and, where it is not systemd, after a crash and a start.
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

// StartedBy notes the unit or service that goes on starting conntrackd at boot, as the state
// says, where conntrackd's own is not to be enabled.
func StartedBy(of service.Service, now service.State, enabled bool) []string {
	by, keep := now.StartedBy, ""
	switch of.(type) {
	case *service.Systemd:
		keep = "take it out of that unit, or run systemctl mask " + of.Name() + " after the save"
	case *service.OpenRC:
		keep = "take conntrackd out of need and want in /etc/init.d/" + by
	}
	if by == "" || enabled || keep == "" {
		return nil
	}
	return []string{fmt.Sprintf("%s starts conntrackd at boot all the same: %s.", by, keep)}
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

// Restarts is what is found of a daemon after a crash where no unit of systemd runs it;
// apply is the command that saves again.
func Restarts(s service.Service, keeper service.Keeper, apply string) check.Finding {
	const left = "a crash leaves its lock file, and none starts beside that"
	remedy := apply + ", which removes the lock file and starts it"
	manager := managerOf(s)
	if o, openrc := s.(*service.OpenRC); openrc && o.Supervised() {
		keeper.Name = "supervise-daemon"
	}
	switch {
	case keeper != (service.Keeper{}):
		return check.Finding{Status: check.Unknown, Lasting: true, Detail: fmt.Sprintf("%s starts it again, but %s; whether it removes it is not known", keeper, left),
			Remedy: "have it remove the lock file, where it is empty, before each start"}
	case manager != "":
		return check.Finding{Status: check.Failed, Lasting: true, Detail: fmt.Sprintf("%s does not start conntrackd again by itself after a crash; %s", manager, left), Remedy: remedy}
	}
	return check.Finding{Status: check.Unknown, Lasting: true, Detail: "no service manager runs conntrackd, so what starts it again after a crash is not known; " + left, Remedy: remedy}
}

// Sends is what is found of the states of this node after a start, where the daemon asks
// for the peer's and no unit of systemd starts it.
func Sends(s service.Service) check.Finding {
	const sends = "the daemon asks for the peer's states when it starts, and connsync sends this node's after a save; "
	const remedy = "conntrackd -B after every other start"
	if manager := managerOf(s); manager != "" {
		return check.Finding{Status: check.Failed, Lasting: true, Detail: sends + "after another start, " + manager + " has nothing sent: the peer lacks the connections that began before it", Remedy: remedy}
	}
	return check.Finding{Status: check.Unknown, Lasting: true, Detail: sends + "what starts it otherwise, and whether that has them sent, is not known", Remedy: remedy}
}

// managerOf names a manager that runs an init script; blank where there is none.
func managerOf(s service.Service) string {
	switch s.(type) {
	case *service.OpenRC:
		return "OpenRC"
	case *service.SysV:
		return "SysV init"
	}
	return ""
}
