package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// leaveChosen is the answer to the question how to leave a setup.
type leaveChosen struct{ how Leaving }

// left: the host has been told how the setup ends.
type left struct{}

// idleDue: it is time to see whether anybody is there.
type idleDue struct{}

// presence is whether somebody is at the keys.
type presence struct {
	since time.Time
	keys  bool // there was one
}

func (i *presence) key() { i.since, i.keys = time.Now(), true }

// awaitKey begins the wait for somebody to be there.
func (m *Model) awaitKey() tea.Cmd {
	m.idle.since = time.Now()
	return m.dueIn(m.setup.options.Patience)
}

func (m *Model) dueIn(d time.Duration) tea.Cmd {
	if m.setup.options.Patience <= 0 {
		return nil
	}
	return tea.Tick(max(d, time.Second), func(time.Time) tea.Msg { return idleDue{} })
}

// askLeave leaves a setup, or asks how where it has set up nothing. The second
// ctrl+c in a row leaves in any case.
func (m *Model) askLeave() tea.Cmd {
	switch {
	case m.setup.done || m.setup.gate != "":
		return m.quit()
	case m.leaving != nil && m.leaving == m.dialog:
		return m.leaveSetup(leaveChosen{Later})
	}
	m.leaving = m.setup.leaveDialog()
	return m.ask(m.leaving)
}

// leaveSetup tells the host how the setup ends, and then ends.
func (m *Model) leaveSetup(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case leaveChosen:
		m.dialog = nil
		ctx, to, answers := m.env.ctx, m.setup.options.Appliance, m.form.draft.Values()
		return func() tea.Msg {
			if to != nil {
				_ = to.Leave(ctx, msg.how, answers) // the Appliance tells it
			}
			return left{}
		}
	case left:
		return m.quit()
	case idleDue:
		return m.seeIdle()
	}
	return nil
}

// seeIdle ends a setup at which nobody is. What is at work is left to end.
func (m *Model) seeIdle() tea.Cmd {
	limit := m.setup.options.Patience
	if m.setup.done {
		limit *= peerPatience
	}
	passed := time.Since(m.idle.since)
	if passed < limit || m.interrupt() != "" {
		return m.dueIn(limit - passed)
	}
	switch {
	case m.setup.done || m.setup.gate != "":
		return m.quit()
	case m.idle.keys:
		return m.leaveSetup(leaveChosen{Later})
	}
	return m.leaveSetup(leaveChosen{Unanswered})
}
