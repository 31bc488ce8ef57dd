package apply

import (
	"os"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/pairtest"
)

// A file whose change time is still to come restarts the daemon only where the
// history does not say that the daemon runs it.
func TestApplyToFileOfTheFuture(t *testing.T) {
	a, _ := pairtest.New(t)
	mustApply(a, a.Settings)
	future := applierOf(a)
	future.changedAt = func(string) (time.Time, error) { return time.Now().Add(time.Hour), nil }
	if o := applyOn(t.Context(), a, future, candidateOf(a, a.Settings)); o.Err != nil || !strings.Contains(statuses(o), "restart=skipped") {
		t.Errorf("a saved file in force: %v, %s", o.Err, statuses(o))
	}
	if err := os.RemoveAll(future.StateDir); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"restart=done", "restart=skipped"} {
		if o := applyOn(t.Context(), a, future, candidateOf(a, a.Settings)); o.Err != nil || !strings.Contains(statuses(o), want) {
			t.Errorf("a file that was not saved here: %v, %s, want %s", o.Err, statuses(o), want)
		}
	}
}
