package tui

import (
	"context"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// Observer looks at the sync. An error means that it could not look at all.
type Observer interface {
	Observe(ctx context.Context) (health.Health, error)
}

const (
	// statusEvery is the time between two looks.
	statusEvery = time.Second
	// statusPatience is how long one look may take.
	statusPatience = 5 * time.Second
)

// observed is the answer of the Observer.
type observed struct {
	run    *run
	health health.Health
	err    error
}

// statusDue tells that it is time to look again.
type statusDue struct{ run *run }

// status shows how the sync goes, and looks again every second while it is
// in sight.
type status struct {
	env      *env
	settings conntrackd.Settings

	run    *run
	cancel context.CancelFunc
	seen   bool // an answer has come
	health health.Health
	trace  trace

	operating          bool   // an operation is under way
	noteWord, noteText string // about the last operation; blank when there was none

	width, height int
	top           int
}

var statusKeys = struct{ again, resync, flush, restart, up, down, back key.Binding }{
	again:   bind("r", "look now", "r"),
	resync:  bind("s", "resync", "s"),
	flush:   bind("f", "flush", "f"),
	restart: bind("t", "restart", "t"),
	up:      bind("up", "", "up", "k", "pgup"),
	down:    bind("up/down", "scroll", "down", "j", "pgdown", "space"),
	back:    bind("esc", "back", "esc", "enter", "q"),
}

// newStatus returns the screen; s are the settings in force. start looks.
func newStatus(e *env, s conntrackd.Settings) *status {
	return &status{env: e, settings: s, cancel: func() {}}
}

// start looks now. What an older look still answers is dropped, so that there
// is never more than one chain of looks.
func (s *status) start() tea.Cmd {
	s.cancel()
	ctx, cancel := context.WithTimeout(s.env.ctx, statusPatience)
	current, observer := newRun(s.run), s.env.effects.Observer
	s.run, s.cancel = current, cancel
	return func() tea.Msg {
		defer cancel()
		if observer == nil {
			return observed{run: current, err: errNoEffect}
		}
		health, err := observer.Observe(ctx)
		return observed{current, health, err}
	}
}

// close ends the looking.
func (s *status) close() {
	s.cancel()
	s.run = newRun(s.run)
}

func (s *status) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case observed:
		if msg.run == s.run {
			return nil, tea.Batch(s.take(msg), later(msg.run))
		}
	case statusDue:
		switch {
		case msg.run != s.run:
		case !s.env.inSight(s):
			return nil, later(msg.run)
		default:
			return nil, s.start()
		}
	case settingsSaved:
		s.settings = msg.settings
	case operationAgreed:
		if msg.screen == s {
			return nil, s.operate(msg.operation)
		}
	case operated:
		if msg.screen == s {
			return nil, s.took(msg)
		}
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	return nil, nil
}

func later(current *run) tea.Cmd {
	return tea.Tick(statusEvery, func(time.Time) tea.Msg { return statusDue{current} })
}

// Take shows an answer, and tells the root when the verdict is another one.
func (s *status) take(msg observed) tea.Cmd {
	found := msg.health
	if msg.err != nil {
		found = health.Health{Verdict: health.VerdictUnknown, Cause: msg.err.Error()}
	}
	changed := !s.seen || found.Verdict != s.health.Verdict
	s.seen, s.health = true, found
	s.trace.add(found.Counters)
	s.scroll(0)
	if !changed {
		return nil
	}
	noted := stateNoted{text.ShortVerdict(found.Verdict)}
	return func() tea.Msg { return noted }
}

func (s *status) press(msg tea.KeyPressMsg) (outcome, tea.Cmd) {
	if question, ok := s.pressed(msg); ok {
		return question, nil
	}
	switch {
	case key.Matches(msg, statusKeys.back):
		return closed{}, nil
	case key.Matches(msg, statusKeys.again):
		return nil, s.start()
	case key.Matches(msg, statusKeys.up):
		s.scroll(-1)
	case key.Matches(msg, statusKeys.down):
		s.scroll(1)
	}
	return nil, nil
}

func (s *status) scroll(by int) {
	s.top = clampTop(max(s.top+by, 0), len(s.text()), s.textHeight())
}

func (s *status) help() []key.Binding {
	k := statusKeys
	k.down.SetEnabled(len(s.text()) > s.textHeight())
	bindings := []key.Binding{k.down, k.back}
	for _, o := range offers {
		o.binding.SetEnabled(s.operable())
		bindings = append(bindings, o.binding)
	}
	return append(bindings, k.again)
}

func (s *status) title() string { return "Connection Sync: status" }

func (s *status) explain() (title string, lines []string) {
	return "Help: status", []string{
		"In sync is said only when messages went both ways since the daemon was started, and every connection that has to survive a failover is in conntrackd's cache.",
		"survive: how many connections a failover would keep now. connsync coverage lists the others, with what keeps them out.",
		"messages: what the daemons tell each other; two idle nodes exchange one a second each way. lost: numbers missing from the peer's messages; raise the receive buffer when it grows. resend queue: what the peer has not acknowledged yet. netlink overruns: the kernel told of connections faster than the daemon read.",
		"in kernel: connections in this node's kernel, its own and the peer's. peer's states: those that the daemon keeps until a failover. on peer: what the peer has told of what it holds.",
		"dropped here: messages that came while the receive buffer was full; raise it when it grows.",
		"resync asks the peer for its states and sends this node's. flush empties the daemon's caches. restart restarts conntrackd and resyncs. Each is asked about first.",
		"buffers: what is in force, as the kernel has it; it doubles what it is asked for.",
	}
}
