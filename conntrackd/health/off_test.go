package health

import (
	"context"
	"fmt"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
	"connsync/trust"
)

// statistics is the evidence of a daemon with a file for statistics only.
func statistics() evidence {
	return edited(idle(8), func(e *evidence) {
		e.settings, e.foreign, e.statistics = conntrackd.Defaults(), "the file is for statistics only", true
		e.countersErr = fmt.Errorf("ask: %w", control.ErrStatsMode)
	})
}

// Where sync was never set up nothing is wrong, also beside a daemon for statistics; where
// the file has settings and the daemon does not use them, something is.
func TestOffBesideStatistics(t *testing.T) {
	for name, tc := range map[string]struct {
		e   evidence
		off bool
	}{
		"statistics only": {statistics(), true},
		"saved since":     {edited(statistics(), func(e *evidence) { e.statistics = false }), false},
		"another file":    {edited(statistics(), func(e *evidence) { e.stranger.PID = 9 }), false},
		"no answer":       {edited(statistics(), func(e *evidence) { e.countersErr = context.DeadlineExceeded }), false},
		"it syncs":        {edited(statistics(), func(e *evidence) { e.countersErr = nil }), false},
	} {
		if got := tc.e.health().Off; got != tc.off {
			t.Errorf("%s: off is %v, want %v", name, got, tc.off)
		}
	}
}

// unreadable is a service whose state nobody can read.
type unreadable struct{ service.Service }

func (unreadable) State(context.Context) (service.State, error) {
	return service.State{}, service.ErrDenied
}

// What is offered where the service cannot be read is not what is used already.
func TestUnreadableServiceAsksForRoot(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	root := "run connsync as root with " + trust.Ptrace.String()
	if h := (&Observer{Service: &service.Direct{}}).Observe(gone); h.Verdict != VerdictUnknown || h.Next != root {
		t.Errorf("direct: %s, next %q", h.Verdict, h.Next)
	}
	if h := (&Observer{Service: unreadable{}}).Observe(t.Context()); h.Verdict != VerdictUnknown || h.Next != root+", or with --service direct where no service manager runs" {
		t.Errorf("other: %s, next %q", h.Verdict, h.Next)
	}
}
