package tui

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/control"
)

var traceStart = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func sentCounter(c control.Counters) uint64 { return c.PacketsSent }

func TestTraceRate(t *testing.T) {
	var tr trace
	rate := func() float64 {
		r, ok := tr.rate(sentCounter)
		if !ok {
			return -1
		}
		return r
	}
	add := func(after time.Duration, sent uint64) {
		tr.add(control.Counters{Time: traceStart.Add(after), PacketsSent: sent, Uptime: after.Truncate(time.Minute)})
	}
	if got := rate(); got != -1 {
		t.Errorf("rate of nothing is %v", got)
	}
	add(0, 100)
	if got := rate(); got != -1 {
		t.Errorf("rate of one reading is %v", got)
	}
	add(time.Second, 110)
	if got := rate(); got != 10 {
		t.Errorf("%v, want 10", got)
	}
	add(time.Second, 999) // the same reading again
	if got := rate(); got != 10 {
		t.Errorf("%v after the same reading, want 10", got)
	}
	for i := 2; i <= 10; i++ { // old readings leave
		add(time.Duration(i)*time.Second, 110)
	}
	if got := rate(); got != 0 {
		t.Errorf("%v, want 0", got)
	}
	add(11*time.Second, 5) // restarted
	if got := rate(); got != -1 {
		t.Errorf("%v after a restart", got)
	}
	tr.add(control.Counters{}) // could not look
	if diff := cmp.Diff(trace{}, tr, cmp.AllowUnexported(trace{})); diff != "" {
		t.Error(diff)
	}
}

func TestTracePlot(t *testing.T) {
	var tr trace
	sent := uint64(0)
	for i := range 61 {
		tr.add(control.Counters{Time: traceStart.Add(time.Duration(i) * time.Second), PacketsSent: sent})
		sent += uint64(i / 5 * 10)
	}
	if len(tr.sent) != 12 || len(tr.recv) != 12 {
		t.Fatalf("%d and %d signs for 60 s", len(tr.sent), len(tr.recv))
	}
	if got := tr.scale(20); got != 200 {
		t.Errorf("scale %v for a top of 110", got)
	}
	signs := ASCIIGlyphs().Plot
	if got := plot(tr.sent, tr.scale(20), 20, signs); got != " ..:::---===" {
		t.Errorf("%q", got)
	}
	if got := plot(tr.sent, tr.scale(20), 3, signs); len(got) != 3 {
		t.Errorf("%q is not the newest 3", got)
	}
	if got := plot([]float64{0, 0.01, 5, 9.99, 10, 99}, 10, 10, signs); got != " .=###" {
		t.Errorf("%q", got)
	}
	if got := plot(tr.recv, tr.scale(20), -1, signs); got != "" {
		t.Errorf("%q without room", got)
	}
}
