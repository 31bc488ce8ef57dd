package report

import "time"

const (
	// leastPause is between the first question to the peer and the second.
	leastPause = time.Minute
	// mostPause is between two questions at most, and how long none is needed until the
	// pauses are short again.
	mostPause = time.Hour
)

// pace is how often a peer is asked for all of its states, which nobody watches: a kernel
// that refuses some for good, or somebody who empties the table again and again, would have
// a large table sent every half minute. The zero value asks at once.
type pace struct {
	asked time.Time
	pause time.Duration
}

// due says whether the peer may be asked now.
func (p *pace) due(now time.Time) bool { return now.Sub(p.asked) >= p.pause }

// ask remembers that it is, and is true.
func (p *pace) ask(now time.Time) bool {
	switch {
	case p.pause == 0 || now.Sub(p.asked) >= p.pause+mostPause:
		p.pause = leastPause
	default:
		p.pause = min(2*p.pause, mostPause)
	}
	p.asked = now
	return true
}
