package health

import (
	"testing"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
)

// When a peer was last heard that is silent now comes from the record; without one, it was
// before the first reading.
func TestLastHeardOfASilentPeer(t *testing.T) {
	at := time.Now()
	reading := func(received uint64) control.Counters { return control.Counters{Time: at, PacketsRecv: received} }
	for name, tc := range map[string]struct {
		received              uint64
		recorded, since       time.Time
		wantHeard, wantBefore time.Time
	}{
		"no record":               {9, time.Time{}, time.Time{}, time.Time{}, at},
		"never heard":             {0, time.Time{}, time.Time{}, time.Time{}, time.Time{}},
		"recorded":                {9, at.Add(-time.Hour), at.Add(-time.Minute), at.Add(-time.Hour), time.Time{}},
		"silent on record":        {9, time.Time{}, at.Add(-time.Minute), time.Time{}, at.Add(-time.Minute)},
		"a clock that was set":    {9, at.Add(time.Hour), at.Add(time.Hour), time.Time{}, at},
		"recorded and never here": {0, at.Add(-time.Hour), at.Add(-time.Hour), time.Time{}, time.Time{}},
	} {
		o := &Observer{LastHeard: func(service.State) (heard, before time.Time) { return tc.recorded, tc.since }}
		e := evidence{service: service.State{Active: true, MainPID: 7}}
		o.collect(&e, reading(tc.received), 0)
		if e.lastReceived != tc.wantHeard || e.heardBefore != tc.wantBefore {
			t.Errorf("%s: heard %v, before %v; want %v, %v", name, e.lastReceived, e.heardBefore, tc.wantHeard, tc.wantBefore)
		}
	}
}
