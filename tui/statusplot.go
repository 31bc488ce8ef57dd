package tui

import (
	"time"

	"connsync/conntrackd/control"
)

const (
	// rateReadings is how many readings a rate is taken over.
	rateReadings = 6
	// plotStep is the time that one sign of the plot stands for. It is longer
	// than a refresh, so that the plot moves seldom.
	plotStep = 5 * time.Second
	// plotMax bounds how many signs are kept and drawn.
	plotMax = 60
)

// trace turns readings of the counters into rates and plots. The zero value
// has seen nothing.
type trace struct {
	recent     []control.Counters // the last readings, oldest first
	stepStart  control.Counters   // where the unfinished sign of the plot began
	sent, recv []float64          // messages a second, one value per plotStep
}

// add takes a reading. A daemon that was restarted counts from zero, and
// nothing that was seen before can be compared with it.
func (t *trace) add(c control.Counters) {
	if c.Time.IsZero() {
		*t = trace{}
		return
	}
	if n := len(t.recent); n > 0 {
		last := t.recent[n-1]
		if !c.Time.After(last.Time) {
			return
		}
		if c.PacketsSent < last.PacketsSent || c.PacketsRecv < last.PacketsRecv || c.Uptime < last.Uptime {
			*t = trace{}
		}
	}
	if len(t.recent) == 0 {
		t.stepStart = c
	}
	t.recent = append(t.recent, c)
	if len(t.recent) > rateReadings {
		t.recent = t.recent[1:]
	}
	if took := c.Time.Sub(t.stepStart.Time); took >= plotStep {
		t.sent = bounded(append(t.sent, perSecond(t.stepStart.PacketsSent, c.PacketsSent, took)))
		t.recv = bounded(append(t.recv, perSecond(t.stepStart.PacketsRecv, c.PacketsRecv, took)))
		t.stepStart = c
	}
}

func bounded(values []float64) []float64 {
	return values[max(0, len(values)-plotMax):]
}

func perSecond(from, to uint64, took time.Duration) float64 {
	if took <= 0 || to < from {
		return 0
	}
	return float64(to-from) / took.Seconds()
}

// rate is how fast a counter grows a second over the last readings; ok is
// false as long as there are not two.
func (t *trace) rate(of func(control.Counters) uint64) (rate float64, ok bool) {
	if len(t.recent) < 2 {
		return 0, false
	}
	first, last := t.recent[0], t.recent[len(t.recent)-1]
	return perSecond(of(first), of(last), last.Time.Sub(first.Time)), true
}

// scale is what the highest sign of both plots of that width stands for: 10,
// 20, 50, 100 and so on, so that it changes seldom.
func (t *trace) scale(width int) float64 {
	top := 0.0
	for i := max(0, len(t.sent)-max(width, 0)); i < len(t.sent); i++ {
		top = max(top, t.sent[i], t.recv[i])
	}
	for scale := 10.0; ; scale *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if top <= scale*step {
				return scale * step
			}
		}
	}
}

// plot draws the newest values, one sign each, oldest first. Whatever is not
// zero is seen.
func plot(values []float64, scale float64, width int, signs []string) string {
	out := ""
	for _, v := range values[max(0, len(values)-max(width, 0)):] {
		level := 0
		if v > 0 {
			level = min(1+int(v/scale*float64(len(signs)-1)), len(signs)-1)
		}
		out += signs[level]
	}
	return out
}
