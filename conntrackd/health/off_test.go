package health

import (
	"context"
	"fmt"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
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
