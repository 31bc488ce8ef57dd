package events

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// A daemon ends before it is started again, whatever records with less exact times say
// beside the service manager's; and two restarts within a few seconds are two.
func TestRestartsAreInOrder(t *testing.T) {
	at := time.Date(2026, 11, 28, 17, 10, 56, 0, time.UTC)
	turn := func(after time.Duration, what service.TurnKind) service.Turn {
		return service.Turn{Time: at.Add(after), What: what}
	}
	once := []service.Turn{turn(-time.Hour, service.TurnStarted), turn(400*time.Millisecond, service.TurnStopped), turn(700*time.Millisecond, service.TurnStarted)}
	twice := append(once[:3:3], turn(1400*time.Millisecond, service.TurnStopped), turn(1800*time.Millisecond, service.TurnStarted))
	for name, tc := range map[string]struct {
		journal []service.Turn
		since   time.Time
		want    []string
	}{
		"one restart":  {once, at.Add(650 * time.Millisecond), []string{"daemon started", "daemon stopped", "daemon started", "verdict two-way"}},
		"two restarts": {twice, at.Add(1750 * time.Millisecond), []string{"daemon started", "daemon stopped", "daemon started", "daemon stopped", "daemon started", "verdict two-way"}},
	} {
		dir := t.TempDir()
		// As 1.0 wrote it, in whole seconds.
		line := `{"time":"2026-11-28T17:11:00Z","verdict":"two-way","pid":7,"since":"` + tc.since.Truncate(time.Second).Format(time.RFC3339) + `"}` + "\n"
		if err := os.WriteFile(filepath.Join(dir, verdictsName), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		l := Sources{StateDir: dir, Service: fakeService{turns: tc.journal, state: service.State{Since: tc.since}}}.Read(t.Context())
		if diff := cmp.Diff(tc.want, summary(l)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The start that a look has seen keeps its fraction of a second, so that it comes after the
// end before it where there is no other record.
func TestRecordedStartIsExact(t *testing.T) {
	dir, since := t.TempDir(), time.Date(2026, 11, 28, 17, 10, 56, 700e6, time.UTC)
	if err := (&Recorder{StateDir: dir}).Settled(look(health.VerdictTwoWay, 7, since)); err != nil {
		t.Fatal(err)
	}
	l := Sources{StateDir: dir, Service: fakeService{turns: []service.Turn{{Time: since.Add(-300 * time.Millisecond), What: service.TurnStopped}}}}.Read(t.Context())
	if diff := cmp.Diff([]string{"daemon stopped", "daemon started", "verdict two-way"}, summary(l)); diff != "" {
		t.Error(diff)
	}
}
