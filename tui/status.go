package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
)

// status shows how the sync goes, as the pulse sees it.
type status struct {
	env      *env
	pulse    *pulse
	host     *host
	settings conntrackd.Settings

	operating          bool   // an operation is under way
	noteWord, noteText string // about the last operation; blank when there was none

	width, height int
	top           int
}

var statusKeys = struct{ again, resync, flush, restart, coverage, events, up, down, back key.Binding }{
	again:    bind("r", "measure", "r"),
	resync:   bind("s", "resync", "s"),
	flush:    bind("f", "flush", "f"),
	restart:  bind("t", "restart", "t"),
	coverage: bind("c", "coverage", "c"),
	events:   bind("e", "events", "e"),
	up:       bind("up", "", "up", "k", "pgup"),
	down:     bind("up/down", "scroll", "down", "j", "pgdown", "space"),
	back:     bind("esc", "back", "esc", "enter", "q"),
}

// newStatus returns the screen; s are the settings in force.
func newStatus(e *env, p *pulse, h *host, s conntrackd.Settings) *status {
	return &status{env: e, pulse: p, host: h, settings: s}
}

// start looks now, whatever is due.
func (s *status) start() tea.Cmd { return tea.Batch(s.pulse.start(), s.pulse.readEvents()) }

func (s *status) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
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

func (s *status) press(msg tea.KeyPressMsg) (outcome, tea.Cmd) {
	if question, ok := s.pressed(msg); ok {
		return question, nil
	}
	switch {
	case key.Matches(msg, statusKeys.back):
		return closed{}, nil
	case key.Matches(msg, statusKeys.again):
		return nil, s.start()
	case key.Matches(msg, statusKeys.coverage) && s.covered():
		return listWanted{coverageList}, nil
	case key.Matches(msg, statusKeys.events) && s.env.effects.Events != nil:
		return listWanted{eventsList}, nil
	case key.Matches(msg, statusKeys.up):
		s.scroll(-1)
	case key.Matches(msg, statusKeys.down):
		s.scroll(1)
	}
	return nil, nil
}

// covered says whether the connections were looked at.
func (s *status) covered() bool {
	return s.pulse.seen && (s.pulse.health.Coverage != nil || s.pulse.health.CoverageErr != nil)
}

func (s *status) scroll(by int) {
	s.top = clampTop(max(s.top+by, 0), len(s.text()), s.textHeight())
}

func (s *status) help() []key.Binding {
	k := statusKeys
	k.down.SetEnabled(len(s.text()) > s.textHeight())
	k.coverage.SetEnabled(s.covered())
	k.events.SetEnabled(s.env.effects.Events != nil)
	bindings := []key.Binding{k.back, k.coverage, k.events}
	for _, o := range offers {
		o.binding.SetEnabled(s.operable())
		bindings = append(bindings, o.binding)
	}
	return append(bindings, k.down, k.again)
}

func (s *status) title() string { return "Connection Sync: status" }

func (s *status) explain() (title string, lines []string) {
	return "Help: status", []string{
		"In sync is said only when messages went both ways since the daemon was started, and every connection that has to survive a failover is in conntrackd's cache.",
		"connections: those of this node that have to survive a failover. acknowledged: those of them that the peer has. from the peer: the peer's connections here. last heard: when the last message of the peer came.",
		"The arrows show messages a second each way; two idle nodes send one a second.",
		"survive: how many connections a failover would keep now. " + statusKeys.coverage.Help().Key + " lists the others, with the reason.",
		"losses: what was counted since the daemon started. lost: numbers missing from the peer's messages. receive drops: messages that came while the receive buffer was full; raise it when they grow. netlink overruns: the kernel reported connections faster than the daemon read them. cache full: raise HashLimit.",
		"plots: the newest column is the rightmost one. Each plot has its own full height. They go on while other screens are open.",
		"in kernel: connections in this node's kernel, its own and the peer's. peer's states: those that the daemon keeps until a failover. resend queue: messages still waiting for the peer's acknowledgement.",
		"resync asks the peer for its states and sends this node's. flush empties the daemon's caches. restart restarts conntrackd and resyncs. Each asks first.",
		"buffers: what is in force, as the kernel has it; it doubles what it is asked for.",
	}
}
