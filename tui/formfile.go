package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// File tells what others do to the file meanwhile.
type File interface {
	// Elsewhere returns the settings of the file where it is not the one that the form
	// was filled from; nil where it is.
	Elsewhere(ctx context.Context) (*conntrackd.Settings, error)
}

// fileEvery is the time between two looks at the file.
const fileEvery = 2 * time.Second

type (
	// fileDue tells that it is time to look at the file.
	fileDue struct{}
	// fileLooked is what the File said.
	fileLooked struct {
		filled   int // of the form, when the look began
		settings *conntrackd.Settings
		err      error
	}
	// fileReread is the end of a reload; the settings are broadcast where it went well.
	fileReread struct{ err error }
)

// watchFile begins to look at the file, again and again.
func (f *form) watchFile() tea.Cmd {
	if f.env.effects.File == nil {
		return nil
	}
	return tea.Tick(fileEvery, func(time.Time) tea.Msg { return fileDue{} })
}

func (f *form) updateFile(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case fileDue:
		ctx, file, filled := f.env.ctx, f.env.effects.File, f.filled
		return nil, func() tea.Msg {
			s, err := file.Elsewhere(ctx)
			return fileLooked{filled, s, err}
		}
	case fileLooked:
		// One with an error may be half written, and one of before a save is out of date.
		if msg.err == nil && msg.filled == f.filled {
			f.elsewhere = msg.settings
		}
		return nil, f.watchFile()
	case fileReread:
		return dialogWanted{&dialog{text: []string{f.env.shown(text.NotReread(msg.err))}, answers: []answer{{label: "Back"}}}}, nil
	}
	return nil, nil
}

// reload takes the file as it is now; what was typed stays.
func (f *form) reload() tea.Cmd {
	ctx, reviewer := f.env.ctx, f.env.effects.Reviewer
	if reviewer == nil {
		return nil
	}
	return func() tea.Msg {
		s, err := reviewer.Reread(ctx)
		if err != nil {
			return fileReread{err}
		}
		return settingsSaved{settings: s, reread: true}
	}
}

// noteSwitch takes from a look at the sync whether somebody else has turned it on or off.
// A setup is on its way to turn it on.
func (f *form) noteSwitch(h health.Health) {
	f.switched = !f.alone && !f.draft.StateUnknown() && f.half == "" && !f.foreign &&
		(f.inForce.Enabled && h.Off || !f.inForce.Enabled && h.Service.Enabled && h.Verdict.BothWays())
}

// outdated is what somebody else did since the form was filled; blank for nothing.
func (f *form) outdated() string {
	switch {
	case f.elsewhere != nil:
		return "changed the file"
	case f.switched && f.inForce.Enabled:
		return "turned sync off"
	case f.switched:
		return "turned sync on"
	}
	return ""
}

// lost is how many changes would be lost by leaving.
func (f *form) lost() int {
	now := f.elsewhere
	if now == nil && f.switched {
		other := f.inForce
		other.Enabled = !other.Enabled
		now = &other
	}
	return lost(*f.draft, now)
}

// lost is how many changes of a draft are not saved now, whoever saved them; nil is as
// the draft knows.
func lost(d text.Draft, now *conntrackd.Settings) int {
	if now != nil {
		d.Rebase(*now)
	}
	return len(d.Changes())
}
