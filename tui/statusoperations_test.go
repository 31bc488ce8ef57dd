package tui

import (
	"context"
	"errors"
	"testing"
	"time"

	"connsync/conntrackd/health"
)

// fakeOperator takes two seconds for everything.
type fakeOperator struct {
	done []Operation
	err  error
}

func (f *fakeOperator) Operate(ctx context.Context, o Operation) (string, error) {
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	f.done = append(f.done, o)
	return "asked the peer for its states, and sent the 212 of this node", f.err
}

func TestStatusOperations(t *testing.T) {
	healthy := idle(health.VerdictTwoWay, "messages from the peer arrive and it acknowledges this node's", "")
	for operation, tt := range map[Operation]struct{ key, question string }{
		Resync:  {"s", "Resync now?"},
		Flush:   {"f", "Flush the caches of conntrackd?"},
		Restart: {"t", "Restart conntrackd?"},
	} {
		f := &fakeOperator{}
		o := Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: healthy}, Operator: f}}
		drive(t, o, 80, 24, func(d *driver) {
			toStatus(3*time.Second, tt.key)(d)
			d.wants(tt.question, "> [ No ]")
			d.press("enter") // it starts on No
			d.lacks(tt.question)
			d.press(tt.key, "esc", tt.key, "n")
			d.wait(5 * time.Second)
			if len(f.done) != 0 {
				t.Fatalf("%v was done though the answer was no", f.done)
			}
			d.press(tt.key, "tab", "enter")
			d.wants("is under way.")
			d.press(tt.key) // not twice at a time
			d.lacks(tt.question)
			d.wait(3 * time.Second)
			if len(f.done) != 1 || f.done[0] != operation {
				t.Fatalf("done %v, want %v once", f.done, operation)
			}
			d.wants("asked the peer for its states, and sent the 212 of this node")
			d.wantScreen(&status{})
		})
	}
}

func TestStatusOperationFails(t *testing.T) {
	healthy := idle(health.VerdictTwoWay, "", "")
	f := &fakeOperator{err: errors.New("ask conntrackd: " + hostile)}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: healthy}, Operator: f}}, 80, 24, func(d *driver) {
		toStatus(3*time.Second, "s", "y")(d)
		d.wait(3 * time.Second)
		d.wants("FAIL Resync: ask conntrackd:")
	})
	checkHostile(t, Effects{Observer: &fakeObserver{at: healthy}, Operator: f}, func(d *driver) {
		toStatus(3*time.Second, "s", "y")(d)
		d.wait(3 * time.Second)
	})
}

func TestStatusOffersOnlyWhatCanBeDone(t *testing.T) {
	stopped := func(time.Duration) (health.Health, error) {
		return health.Health{Verdict: health.VerdictStopped}, nil
	}
	for _, e := range []Effects{
		{Observer: &fakeObserver{at: stopped}, Operator: &fakeOperator{}},
		{Observer: &fakeObserver{at: busy}},
	} {
		drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: e}, 80, 24, func(d *driver) {
			toStatus(3*time.Second, "s", "f", "t")(d)
			d.lacks("resync", "flush", "restart", "?  No")
		})
	}
}

// An operation that is left alone ends.
func TestStatusLeftDuringAnOperation(t *testing.T) {
	f := &fakeOperator{}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: busy}, Operator: f}}, 80, 24, func(d *driver) {
		toStatus(3*time.Second, "t", "y", "esc")(d)
		d.wantScreen(&form{})
		d.wait(5 * time.Second)
		if len(f.done) != 1 {
			t.Errorf("done %v", f.done)
		}
	})
}

func TestStatusOperationPages(t *testing.T) {
	healthy := idle(health.VerdictTwoWay, "messages from the peer arrive and it acknowledges this node's", "")
	e := func() Effects { return Effects{Observer: &fakeObserver{at: healthy}, Operator: &fakeOperator{}} }
	checkPages(t, []page{
		{"offered", e(), toStatus(10 * time.Second)},
		{"asked", e(), toStatus(10*time.Second, "t")},
		{"underway", e(), toStatus(10*time.Second, "s", "y")},
		{"done", e(), func(d *driver) { toStatus(10*time.Second, "s", "y")(d); d.wait(5 * time.Second) }},
	}, "asked")
}
