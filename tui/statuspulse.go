package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd/events"
	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// Observer looks at the sync. An error means that it could not be read at all.
type Observer interface {
	Observe(ctx context.Context) (health.Health, error)
}

// Events reads what has happened to the sync.
type Events interface {
	Events(ctx context.Context) events.Log
}

const (
	// statusEvery is the time between two looks while the status is in sight.
	statusEvery = time.Second
	// pulseEvery is the same on the other screens: one column of the plots.
	pulseEvery = plotStep
	// statusPatience is how long one look may take.
	statusPatience = 5 * time.Second
	// unknownPatience is how long a verdict may be still measured before the title says
	// that it is unknown.
	unknownPatience = 10 * time.Second
)

// observed is the answer of the Observer.
type observed struct {
	run    *run
	health health.Health
	err    error
}

// pulseDue tells that it is time to look again.
type pulseDue struct{ run *run }

// eventsRead is the answer of Events.
type eventsRead struct{ log events.Log }

// pulse looks at the sync as long as the program runs, whatever screen is in sight. What
// it has seen stays.
type pulse struct {
	env *env
	now func() time.Time

	run     *run
	cancel  context.CancelFunc
	looking bool      // an answer is awaited
	again   bool      // the records are read once more: a verdict that lasts comes into them later
	begun   time.Time // when the looks of this file began
	seen    bool      // an answer has come
	health  health.Health
	since   time.Time // when its verdict was first seen
	trace   trace
	log     *events.Log // nil until it was read
}

func newPulse(e *env) *pulse { return &pulse{env: e, now: time.Now, cancel: func() {}} }

// start looks now, unless a look is under way: of a large table each takes its time. So
// there is never more than one chain of looks.
func (p *pulse) start() tea.Cmd {
	if p.looking {
		return nil
	}
	p.looking = true
	if p.begun.IsZero() {
		p.begun = p.now()
	}
	ctx, cancel := context.WithTimeout(p.env.ctx, statusPatience)
	current, observer := newRun(p.run), p.env.effects.Observer
	p.run, p.cancel = current, cancel
	return func() tea.Msg {
		defer cancel()
		if observer == nil {
			return observed{run: current, err: errNoEffect}
		}
		health, err := observer.Observe(ctx)
		return observed{current, health, err}
	}
}

// close ends the looking; what a look still answers is dropped.
func (p *pulse) close() {
	p.cancel()
	p.looking, p.run = false, newRun(p.run)
}

// saved begins anew, for other settings.
func (p *pulse) saved() tea.Cmd {
	if p.run == nil {
		return nil
	}
	p.close()
	p.begun = p.now()
	return p.start()
}

// readEvents reads the records.
func (p *pulse) readEvents() tea.Cmd {
	source, ctx := p.env.effects.Events, p.env.ctx
	if source == nil {
		return nil
	}
	return func() tea.Msg { return eventsRead{source.Events(ctx)} }
}

// take keeps an answer. changed says that the verdict is another one.
func (p *pulse) take(msg observed) (changed bool) {
	found := msg.health
	if msg.err != nil {
		found = health.Health{Verdict: health.VerdictUnknown, Cause: msg.err.Error()}
	}
	if changed = !p.seen || found.Verdict != p.health.Verdict || found.Off != p.health.Off; changed {
		p.since = p.now()
	}
	p.seen, p.health = true, found
	p.trace.add(found.Counters)
	return changed
}

// known says whether the verdict belongs in the title: not one that may be still measured,
// nor that of a host which cannot be looked at.
func (p *pulse) known() bool {
	switch {
	case !p.seen || p.env.effects.Observer == nil:
		return false
	case p.health.Verdict == health.VerdictUnknown:
		return p.now().Sub(p.begun) >= unknownPatience && p.now().Sub(p.since) >= unknownPatience
	}
	return true
}

// recordedAfter is how long a verdict has to last until it is on record, with time to spare.
func (p *pulse) recordedAfter() time.Duration {
	if p.health.Verdict == health.VerdictUnknown {
		return 12 * time.Second
	}
	return 4 * time.Second
}

// lasting is since when the verdict is as it is: as this program has seen it, or a record
// that goes back further.
func (p *pulse) lasting() time.Time {
	if p.log == nil {
		return p.since
	}
	for _, e := range p.log.Events {
		if e.Kind != events.KindVerdict {
			continue
		}
		if e.Verdict == p.health.Verdict && e.Time.Before(p.since) {
			return e.Time
		}
		break
	}
	return p.since
}

// beat handles the messages of the pulse, the root's.
func (m *Model) beat(msg tea.Msg) tea.Cmd {
	p := m.pulse
	switch msg := msg.(type) {
	case observed:
		if msg.run != p.run {
			return nil
		}
		p.looking = false
		every, changed := pulseEvery, p.take(msg)
		m.form.noteSwitch(p.health)
		_, inSight := m.top().(*status)
		if inSight {
			every = statusEvery
		}
		if p.known() {
			m.note(text.ShortStatus(p.health), text.StatusWord(p.health))
		}
		current := msg.run
		next := tea.Tick(every, func(time.Time) tea.Msg { return pulseDue{current} })
		onRecord := p.again && p.now().Sub(p.since) >= p.recordedAfter()
		p.again = changed || p.again && !(onRecord && inSight)
		if inSight && (changed || onRecord) {
			return tea.Batch(next, p.readEvents())
		}
		return next
	case pulseDue:
		if msg.run != p.run {
			return nil
		}
		if i, ok := m.top().(interrupter); ok && i.interrupt() != "" { // a save is at work
			return tea.Tick(statusEvery, func(time.Time) tea.Msg { return msg })
		}
		return p.start()
	case eventsRead:
		p.log = &msg.log
	}
	return nil
}

// note sets the words at the right of the title, and the word whose style they have.
func (m *Model) note(state, word string) { m.state, m.stateWord = state, word }
