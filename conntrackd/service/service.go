package service

import (
	"context"
	"time"

	"connsync/trust"
)

// Service starts and stops the daemon, now and at boot. Every method returns
// when its context ends, even if the job it asked for goes on. An error is an
// *[Error], or that of the context; the daemon started directly has errors of its own.
type Service interface {
	// Name is for people: "conntrackd.service" or "conntrackd, started directly". The
	// history knows the service by it. In a sentence it is [Called].
	Name() string
	// State reads; it changes nothing.
	State(ctx context.Context) (State, error)
	// Restart starts the daemon, stopping it first where it runs. A nil error
	// means that it was up when Restart returned, not that it will stay up.
	Restart(ctx context.Context) error
	// Stop ends the daemon. Stopping a stopped daemon is no error.
	Stop(ctx context.Context) error
	// Enable and Disable settle whether it starts at boot. They neither start nor
	// stop it now.
	Enable(ctx context.Context) error
	Disable(ctx context.Context) error
	// Log returns the daemon's own lines since t, oldest first, raw: control
	// characters are the reader's to strip.
	Log(ctx context.Context, t time.Time) ([]string, error)
	// Commands says in shell words what an action does, for the review.
	Commands(Action) []string
}

// Action is a thing that a [Service] is asked to do.
type Action string

const (
	ActionRestart Action = "restart" // start the daemon, stopping it first where it runs
	ActionStop    Action = "stop"    // end the daemon
	ActionEnable  Action = "enable"  // start it at every boot
	ActionDisable Action = "disable" // do not start it at boot
)

// State is what the service manager says of the daemon. "Active" is no
// proof of sync, which package health judges.
type State struct {
	Present  bool   // the unit or program exists
	Masked   bool   // the unit is masked: it cannot be started nor enabled
	Unmask   string // the command that takes the mask off, where Masked, or that mends the Refusal
	Active   bool   // a daemon with our configuration file runs
	Starting bool   // not active, and going to be: its start is queued, under way, or tried again
	Changing bool   // not active, and on the way to another state, such as "deactivating": Detail is not the last word
	Enabled  bool   // it will start at boot; equals Active where Unbooted
	// StartedBy is another unit that starts conntrackd at boot, be it Enabled or not; blank for none.
	StartedBy string
	Unbooted  bool      // there is no service manager that has the daemon
	NoBoot    bool      // where Unbooted: it is known that it does not start at boot
	Killed    bool      // not active, and ended by a kill or a crash: it left its lock file, or the manager says so; never where it is not to run
	Ended     bool      // where Unbooted: not active, not Killed, and enabled by whoever settled that last
	Refusal   string    // why its script would not start it as this host is now
	Keeper    Keeper    // where Unbooted: what runs the daemon and would start it again
	Notify    bool      // the manager waits for sd_notify (Type=notify)
	MainPID   int       // zero when not running
	Restarts  int       // automatic restarts since the last manual start
	Since     time.Time // when the daemon started; zero when not running
	Detail    string    // the manager's own words, such as "failed (Result: exit-code)"
}

// AtBoot reports whether anything starts the daemon at boot; nil where that is not known.
func (s State) AtBoot() *bool {
	if s.Unbooted && !s.NoBoot {
		return nil
	}
	at := (s.Enabled || s.StartedBy != "") && !s.Unbooted
	return &at
}

// First puts before a command that starts or enables the service what that takes: the mask
// off, where it has one.
func (s State) First(next string) string {
	if s.Masked {
		return s.Unmask + ", then " + next
	}
	return next
}

// HalfEnabled says how a service is neither enabled, which is now and at boot, nor
// disabled; blank where it is one of them.
func (s State) HalfEnabled() string {
	switch {
	case s.Killed:
		return ""
	case s.Ended:
		return "conntrackd does not run, although the last save enabled it"
	case s.Active && !s.Enabled && s.StartedBy != "":
		return "conntrackd runs now, and at boot for " + s.StartedBy + " alone, which starts it"
	case s.Active && !s.Enabled:
		return "conntrackd runs now, and does not start at boot"
	case !s.Active && s.Enabled:
		return "conntrackd starts at boot, and does not run now"
	}
	return ""
}

// Unread says what to do where the state of s cannot be read.
func Unread(s Service) string {
	remedy := "run connsync as root with " + trust.Ptrace.String()
	if _, direct := s.(*Direct); !direct {
		remedy += ", or with --service direct where no service manager runs"
	}
	return remedy
}

// Called returns the name of s as it stands in a sentence.
func Called(s Service) string {
	if _, direct := s.(*Direct); direct {
		return "conntrackd"
	}
	return s.Name()
}
