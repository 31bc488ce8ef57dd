package tui

import (
	"connsync/conntrackd"
	"connsync/tui/text"
)

// save asks for the save, or says why it is not possible and goes to the field
// that is in the way.
func (f *form) save() outcome {
	f.leave()
	if f.readOnly != "" {
		return dialogWanted{&dialog{text: []string{f.env.shown(f.readOnly)}, answers: []answer{{label: "Back"}}}}
	}
	s, problems := f.draft.Settings()
	if len(problems) > 0 {
		f.refuse(problems)
		return nil
	}
	f.settle()
	if d := f.staysOff(s); d != nil {
		return dialogWanted{d}
	}
	return saveWanted{s}
}

// enableAndSave and saveOff are the answers to whether a sync that is set up
// stays off.
type (
	enableAndSave struct{}
	saveOff       struct{}
)

// staysOff asks whether a sync that is filled in, and was off, is meant to stay
// off; nil where that is no question.
func (f *form) staysOff(s conntrackd.Settings) *dialog {
	if s.Enabled || f.inForce.Enabled || f.draft.StateUnknown() || f.half != "" || f.foreign || !s.Complete() || !f.draft.Dirty() || f.draft.Changed(conntrackd.FieldEnabled) {
		return nil
	}
	return &dialog{
		text: []string{"Sync stays OFF with these settings. Enable it?"},
		answers: []answer{
			{label: "Enable and save", key: "e", msg: enableAndSave{}},
			{label: "Save, stay off", key: "s", msg: saveOff{}},
			{label: "Back", key: "b"},
		},
		escape: 2,
		sudden: true, // a key that is held down must not answer it
	}
}

// saveAnswered saves as the dialog was answered.
func (f *form) saveAnswered(enable bool) outcome {
	if enable {
		f.draft.Set(conntrackd.FieldEnabled, "enable")
		f.settle()
		return f.save()
	}
	s, problems := f.draft.Settings()
	if len(problems) > 0 {
		f.refuse(problems)
		return nil
	}
	return saveWanted{s}
}

// check asks for the checks; they need the values that an enabled sync needs.
func (f *form) check() outcome {
	f.leave()
	s, problems := text.ParseSettings(f.env.table, f.draft.Values().With(conntrackd.FieldEnabled, "enable"))
	if len(problems) > 0 {
		f.refuse(problems)
		f.refused = false // nothing was to be saved
		return nil
	}
	s.Enabled = f.draft.Enabled()
	f.settle()
	return checkWanted{s}
}

func (f *form) refuse(problems []conntrackd.Problem) {
	clear(f.shown)
	for _, p := range problems {
		f.shown[p.Field] = p.Message
	}
	f.goTo(problems[0].Field)
	f.refused = true
}

// showProblems tells about every field that holds something bad, and with
// blank also about those that hold nothing and should.
func (f *form) showProblems(blank bool) {
	_, problems := f.draft.Settings()
	for _, p := range problems {
		if blank || f.draft.Value(p.Field) != "" || f.shown[p.Field] != "" {
			f.shown[p.Field] = p.Message
		}
	}
	f.recheck()
}

// recheck takes away the problems that are cured. The message about the
// focused field stays as it is until it is left: it would change with every
// keystroke.
func (f *form) recheck() {
	if len(f.shown) == 0 {
		return
	}
	_, problems := f.draft.Settings()
	for id := range f.shown {
		switch now := text.ProblemOf(problems, id); {
		case now == "":
			delete(f.shown, id)
		case !f.focused(id):
			f.shown[id] = now
		}
	}
	f.refused = f.refused && len(f.shown) > 0
}

func (f *form) focused(id conntrackd.Field) bool {
	return f.focus < len(f.fields) && f.fields[f.focus].Field == id
}

// disabledReason is why a save is not possible; blank when it is.
func (f *form) disabledReason() string {
	_, problems := f.draft.Settings()
	if len(problems) == 0 {
		return ""
	}
	return f.labelOf(problems[0].Field) + ": " + problems[0].Message
}

func (f *form) labelOf(id conntrackd.Field) string {
	if e, ok := f.env.table.Find(id); ok {
		return e.Label
	}
	return string(id)
}

// takeMended takes settings that the checks have mended into the fields.
func (f *form) takeMended(s conntrackd.Settings) {
	for field, value := range f.env.table.Values(s) {
		if field != conntrackd.FieldEnabled && value != f.draft.Value(field) {
			f.draft.Set(field, value)
		}
	}
	f.recheck()
	f.settle()
}
