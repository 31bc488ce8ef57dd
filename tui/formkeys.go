package tui

import (
	"charm.land/bubbles/v2/key"

	"connsync/conntrackd"
)

func (f *form) help() []key.Binding { return f.keys(f.env.theme.Bar) }

// keys are those of what has the focus; exact names them as they work in this very
// field.
func (f *form) keys(exact bool) []key.Binding {
	if f.gate != "" {
		return f.gateHelp()
	}
	reload := formKeys.reload
	reload.SetEnabled(f.outdated() != "")
	if f.focus >= len(f.fields) {
		return []key.Binding{formKeys.next, reload, formKeys.choose, formKeys.history, formKeys.prev, f.turnKey()}
	}
	keys := []key.Binding{formKeys.next, reload, formKeys.prev}
	if exact {
		keys = append(keys, f.fieldKeys(f.fields[f.focus])...)
	} else {
		keys = append(keys, formKeys.change)
	}
	return append(keys, f.undoKey(), f.turnKey())
}

// fieldKeys are the keys of a field, by what they do in it.
func (f *form) fieldKeys(fd field) []key.Binding {
	space, enter := formKeys.change, formKeys.choose
	enter.SetHelp("enter", "next")
	switch {
	case fd.choices() != nil:
		space.SetHelp("space", "change")
		return []key.Binding{space, enter}
	case fd.Kind == conntrackd.InterfaceSetting:
		space.SetHelp("space", "list")
		return []key.Binding{space}
	}
	return []key.Binding{enter}
}

// undoKey is in sight where there is something to undo.
func (f *form) undoKey() key.Binding {
	undo := formKeys.undo
	undo.SetEnabled(f.undoable)
	return undo
}
