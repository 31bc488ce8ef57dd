package refresh

import (
	"testing"
	"time"
)

// One entry over several looks: the peer is told of it when it was used and would
// soon end there, and never of what the peer told.
func TestNext(t *testing.T) {
	const key, horizon = 1, 20 * time.Second
	end := func(seconds int) ending {
		at := time.Duration(seconds) * time.Second
		return ending{at, at + time.Second}
	}
	known := func(base, told int) *seen {
		return &seen{base: time.Duration(base)*time.Second + time.Second, told: time.Duration(told) * time.Second}
	}
	for name, test := range map[string]struct {
		before  *seen // at the look before; nil for a new entry
		round   uint32
		written int // when it ends by what the peer told
		missed  bool
		end     int
		tell    bool
		then    int  // the end at the next look, where it was used until that
		again   bool // told then
	}{
		"idle":                                 {before: known(15, 15), end: 15},
		"idle, read a moment late":             {before: known(15, 15), end: 16},
		"used, soon to end on the peer":        {before: known(15, 15), end: 40, tell: true},
		"used, long to live on the peer":       {before: known(100, 100), end: 130},
		"used before, idle since, soon to end": {before: known(10, 15), end: 40, tell: true},
		"written by the peer's news":           {before: known(15, 15), end: 40, written: 40},
		"written by the peer's news, and used since: the peer's copy ends before": {before: known(15, 15), end: 45, written: 15, tell: true, then: 50},
		"written by the peer's news, and ends sooner here":                        {before: known(15, 15), end: 10, written: 40},
		"written by the peer's news, used since, long to live there":              {before: known(15, 15), end: 90, written: 60, then: 95},
		"written or used, which is not known":                                     {before: known(15, 15), end: 40, missed: true},
		"its state has changed":                                                   {before: known(100, 100), end: 15},
		"new":                                                                     {end: 30},
		"at the first look":                                                       {round: 1, end: 30},
		"used since the first look":                                               {before: known(30, 0), round: 2, end: 35, tell: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Refresher{known: map[uint64]seen{}, written: map[uint64]ending{}, rounds: max(test.round, 5), missed: test.missed, last: time.Now()}
			if test.round > 0 {
				r.rounds = test.round
			}
			if test.before != nil {
				r.known[key] = *test.before
			}
			if test.written > 0 {
				r.written[key] = end(test.written)
			}
			s, tell := r.next(key, end(test.end), horizon)
			if tell != test.tell || s.round != r.rounds {
				t.Errorf("told: %v, want %v; remembered: %+v", tell, test.tell, s)
			}
			// What was told or heard is not told again at once.
			r.known[key] = s
			clear(r.written)
			r.missed = false
			if _, again := r.next(key, end(max(test.end, test.then)), horizon); again != test.again {
				t.Errorf("told at the next look: %v, want %v", again, test.again)
			}
		})
	}
}
