package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
)

// form is the screen with the settings, always at the bottom of the stack.
type form struct {
	env   *env
	draft *draft
	gate  string
}

func newForm(e *env, saved conntrackd.Settings, gate string) *form {
	return &form{env: e, draft: &draft{}, gate: gate}
}

func (f *form) start() tea.Cmd { return nil }

func (f *form) update(tea.Msg) (outcome, tea.Cmd) { return nil, nil }

func (f *form) view() string { return f.gate }

func (f *form) resize(int, int) {}

func (f *form) help() []key.Binding { return nil }

func (f *form) typing() bool { return true }

func (f *form) quitDialog() *dialog {
	return &dialog{
		text:    []string{"Leave without saving? What was changed here is lost."},
		answers: []answer{{label: "No, stay", key: "n"}, {label: "Yes, leave", key: "y", msg: quitConfirmed{}}},
	}
}
