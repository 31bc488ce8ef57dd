package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
)

// checked says whether a save is checked first. Switching off needs no peer and
// no link.
func (e *env) checked(s conntrackd.Settings) bool {
	return s.Enabled || e.unmanaged && s.Complete()
}

// followSave decides what comes next on the way of a save: checks, review,
// apply, status.
func (m *Model) followSave(o outcome) tea.Cmd {
	switch o := o.(type) {
	case saveWanted:
		if !m.env.checked(o.settings) {
			return m.openReview(reviewWanted{settings: o.settings})
		}
		p := newPreflight(m.env, o.settings, true)
		return m.open(p, p.start())
	case checkWanted:
		p := newPreflight(m.env, o.settings, false)
		return m.open(p, p.start())
	case reviewWanted:
		return m.openReview(o)
	case applyWanted:
		m.backToForm()
		o.before = m.before()
		a := newApply(m.env, o)
		return m.open(a, a.start())
	case settingsMended:
		m.form.takeMended(o.settings)
	case statusWanted:
		m.backToForm()
		saved, _ := m.form.draft.Saved().Settings()
		s := newStatus(m.env, m.pulse, &m.form.host, saved)
		return m.open(s, s.start())
	case listWanted:
		l := &statusList{env: m.env, pulse: m.pulse, kind: o.kind}
		return m.open(l, l.start())
	case historyWanted:
		h := newHistory(m.env)
		return m.open(h, h.start())
	case entryWanted:
		s := newEntryView(m.env, o.entry)
		return m.open(s, s.start())
	case undoWanted:
		r := newUndo(m.env, o.entry)
		return m.open(r, r.start())
	case formWanted:
		m.backToForm()
	}
	return nil
}

func (m *Model) openReview(o reviewWanted) tea.Cmd {
	r := newReview(m.env, o)
	return m.open(r, r.start())
}

// follow does what the form asks for: it decides which screen comes next.
func (m *Model) follow(o outcome) tea.Cmd {
	switch o := o.(type) {
	case pickWanted:
		return m.openPicker(o.current)
	case picked:
		m.backToForm()
		if m.setup != nil {
			return m.setup.picked(o.name)
		}
		return m.form.picked(o.name)
	}
	return m.followSave(o)
}

// path is the heading of a screen on the way of a save, with its steps; only
// the one that it is at, where the verdict would have no room beside them.
func path(width int, at string, steps ...string) string {
	words := make([]string, len(steps))
	for i, step := range steps {
		words[i] = fmt.Sprintf("%d %s", i+1, step)
		switch {
		case step == at && width < 60:
			return fmt.Sprintf("%d/%d %s", i+1, len(steps), step)
		case step == at:
			words[i] = "[" + words[i] + "]"
		}
	}
	return "Connection Sync  " + strings.Join(words, "  ")
}

// before is how the sync was before a save; blank where it is not known.
func (m *Model) before() health.Verdict {
	if !m.form.inForce.Enabled || !m.pulse.known() {
		return ""
	}
	return m.pulse.health.Verdict
}
