package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/control"
)

var traceStart = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// reading is one after so many seconds.
func reading(seconds int, sent uint64) control.Counters {
	return control.Counters{Time: traceStart.Add(time.Duration(seconds) * time.Second), PacketsSent: sent, PacketsRecv: sent / 10}
}

// A column is five seconds, however often the counters are read.
func TestTraceColumns(t *testing.T) {
	for _, every := range []int{1, 5, 10} {
		var tr trace
		for i := 0; i <= 60; i += every {
			tr.add(reading(i, uint64(20*i)))
		}
		if len(tr.sent) != 12 || tr.sent[0] != 20 || tr.sent[11] != 20 || tr.recv[11] != 2 {
			t.Errorf("read every %d s: %v and %v for 60 s", every, tr.sent, tr.recv)
		}
	}
}

// What was seen stays when the daemon is restarted or cannot be read; the time between has
// empty columns.
func TestTraceKeepsItsPast(t *testing.T) {
	var tr trace
	for i := range 11 {
		tr.add(reading(i, uint64(20*i)))
	}
	tr.add(control.Counters{}) // could not be read
	tr.add(reading(20, 900))
	tr.add(reading(25, 1000))
	tr.add(reading(26, 3)) // restarted
	tr.add(reading(31, 103))
	if diff := cmp.Diff([]float64{20, 20, 0, 0, 20, 20}, tr.sent); diff != "" {
		t.Error(diff)
	}
	tr.add(reading(20, 104)) // the clock was set back
	tr.add(reading(25, 154))
	if got := tr.sent[len(tr.sent)-1]; got != 10 {
		t.Errorf("%v after the clock was set back, want 10", got)
	}
	for i := range 2 * plotMax {
		tr.add(reading(100+10*i, uint64(1000*i)))
	}
	if len(tr.sent) != plotMax || len(tr.recv) != plotMax {
		t.Errorf("%d and %d columns are kept", len(tr.sent), len(tr.recv))
	}
}

func TestScale(t *testing.T) {
	for top, want := range map[float64]float64{0: 10, 10: 10, 10.1: 20, 110: 200, 201: 500, 999: 1000} {
		if got := scale([]float64{0, top, 1}); got != want {
			t.Errorf("%v for a top of %v, want %v", got, top, want)
		}
	}
}

func TestPlot(t *testing.T) {
	signs := ASCIIGlyphs().Plot
	for _, tt := range []struct {
		rows int
		want string
	}{
		{1, " .=###"},
		{2, "  .###\n .####"},
		{3, "   ###\n  =###\n .####"},
	} {
		if got := strings.Join(plot([]float64{0, 0.01, 5, 9.99, 10, 99}, 10, tt.rows, signs), "\n"); got != tt.want {
			t.Errorf("%d rows:\n%s\nwant\n%s", tt.rows, got, tt.want)
		}
	}
}

// A full plot moves with each column, or with jumps by a quarter of its width.
func TestPlotWindow(t *testing.T) {
	var tr trace
	var smooth, jumps []int
	for i := range 27 {
		tr.add(reading(5*i, 0))
		if i >= 18 {
			smooth, jumps = append(smooth, tr.window(20, false)), append(jumps, tr.window(20, true))
		}
	}
	if diff := cmp.Diff([]int{0, 0, 0, 1, 2, 3, 4, 5, 6}, smooth); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 0, 0, 5, 5, 5, 5, 5, 10}, jumps); diff != "" {
		t.Error(diff)
	}
	if got := tr.window(-1, false); got != len(tr.sent) {
		t.Errorf("%d without room", got)
	}
}
