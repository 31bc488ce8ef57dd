package tui

import tea "charm.land/bubbletea/v2"

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
