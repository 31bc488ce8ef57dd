package events

import (
	"testing"
	"time"

	"connsync/conntrackd/health"
)

// When a silent peer was last heard is on record, as whoever saw it become silent knew it.
func TestLastHeard(t *testing.T) {
	dir, at := t.TempDir(), time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	record := func(v health.Verdict, pid int, heard time.Time) {
		t.Helper()
		h := look(v, pid, at)
		h.Heard = heard
		if err := (&Recorder{StateDir: dir}).Settled(h); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(what string, pid int, heard time.Time, before bool) {
		t.Helper()
		if h, b := LastHeard(dir, pid); !h.Equal(heard) || b.IsZero() == before {
			t.Errorf("%s: heard at %v, before %v", what, h, b)
		}
	}
	wants("nothing on record", 7, time.Time{}, false)
	record(health.VerdictTwoWay, 7, at)
	wants("heard since, perhaps", 7, time.Time{}, false)
	record(health.VerdictSilent, 7, at.Add(time.Minute))
	wants("silent", 7, at.Add(time.Minute), true)
	wants("another daemon", 8, time.Time{}, false)
	record(health.VerdictSilent, 8, time.Time{})
	wants("silent, and nobody knew since when", 8, time.Time{}, true)
}
