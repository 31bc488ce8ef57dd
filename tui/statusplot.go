package tui

import (
	"time"

	"connsync/conntrackd/control"
)

const (
	// plotStep is the time that one column of the plot stands for. It is longer
	// than a refresh, so that the plot moves seldom.
	plotStep = 5 * time.Second
	// plotMax bounds how many columns are kept, more than any window has.
	plotMax = 512
)

// trace turns readings of the counters into plots. The zero value has seen nothing.
type trace struct {
	step       control.Counters // where the unfinished column began
	blind      bool             // nothing could be read since
	sent, recv []float64        // messages a second, one value a column
	passed     int              // columns that are kept no more
}

// add takes a reading. Nothing can be compared across the restart of a daemon, which counts
// from zero, nor over a time without readings: those columns are empty.
func (t *trace) add(c control.Counters) {
	if c.Time.IsZero() {
		t.blind = true
		return
	}
	took := c.Time.Sub(t.step.Time)
	switch {
	case t.step.Time.IsZero():
		t.step, t.blind = c, false
	case took < 0:
		t.step = c // the clock was set back
	case t.blind || c.PacketsSent < t.step.PacketsSent || c.PacketsRecv < t.step.PacketsRecv || c.Uptime < t.step.Uptime:
		t.columns(took, 0, 0)
		t.step, t.blind = c, false
	case took >= plotStep:
		t.columns(took, perSecond(t.step.PacketsSent, c.PacketsSent, took), perSecond(t.step.PacketsRecv, c.PacketsRecv, took))
		t.step = c
	}
}

// columns adds as many as the time has, with these values.
func (t *trace) columns(took time.Duration, sent, recv float64) {
	for range min(int(took/plotStep), plotMax) {
		t.sent, t.recv = append(t.sent, sent), append(t.recv, recv)
	}
	over := max(0, len(t.sent)-plotMax)
	t.sent, t.recv, t.passed = t.sent[over:], t.recv[over:], t.passed+over
}

// window is the first column that has a place in a plot so wide. With jumps a full plot
// moves by a quarter of its width at once: a slow line is sent single cells between.
func (t *trace) window(width int, jumps bool) (first int) {
	first = t.passed + max(0, len(t.sent)-max(width, 0))
	if step := max(width/4, 1); jumps {
		first = (first + step - 1) / step * step
	}
	return min(first-t.passed, len(t.sent))
}

func perSecond(from, to uint64, took time.Duration) float64 {
	if took <= 0 || to < from {
		return 0
	}
	return float64(to-from) / took.Seconds()
}

// scale is what the full height stands for: 10, 20, 50, 100 and so on, so that it changes
// seldom.
func scale(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	for scale := 10.0; ; scale *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if top <= scale*step {
				return scale * step
			}
		}
	}
}

// plot draws the values as columns of so many rows, the top row first, the oldest value at
// the left. Whatever is not zero is seen.
func plot(values []float64, scale float64, rows int, signs []string) []string {
	lines := make([]string, rows)
	steps := len(signs) - 1
	for _, v := range values {
		level := 0
		if v > 0 {
			level = min(1+int(v/scale*float64(rows*steps)), rows*steps)
		}
		for r := range rows {
			lines[r] += signs[max(0, min(level-(rows-1-r)*steps, steps))]
		}
	}
	return lines
}
