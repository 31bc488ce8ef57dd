package report

import (
	"testing"
	"time"

	"connsync/conntrackd/mailbox"
)

func TestRestBetweenReports(t *testing.T) {
	for name, test := range map[string]struct{ took, lookRest, want time.Duration }{
		"small table":              {3 * time.Second, 100 * time.Millisecond, 27 * time.Second},
		"nothing was looked at":    {0, 0, 30 * time.Second},
		"very large table":         {4 * time.Second, time.Minute, 56 * time.Second},
		"host without a processor": {5 * time.Minute, time.Minute, 15 * time.Second},
	} {
		if got := rest(test.took, test.lookRest); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	// The peer still believes the last report when the next one comes.
	if most := rest(0, time.Minute) + 10*time.Second; most >= mailbox.Lifetime || 3*every > mailbox.Lifetime {
		t.Errorf("a report may come after %v, and one lasts %v", most, mailbox.Lifetime)
	}
}
