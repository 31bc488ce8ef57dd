package tui

import (
	"context"
	"fmt"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd/apply"
)

// History is the saves that are kept. Nothing in it changes anything.
type History interface {
	// Entries lists them, the newest first.
	Entries(ctx context.Context) ([]apply.Entry, error)
	// Change is what a save changed.
	Change(ctx context.Context, e apply.Entry) (apply.Change, error)
	// Undo works out what taking a save back would do.
	Undo(ctx context.Context, e apply.Entry) (apply.Review, error)
}

// The outcomes of the history's screens.
type (
	// historyWanted: list the saves.
	historyWanted struct{}
	// entryWanted: show one of them.
	entryWanted struct{ entry apply.Entry }
	// undoWanted: review what rolling it back would do.
	undoWanted struct{ entry apply.Entry }
)

func (historyWanted) outcome() {}
func (entryWanted) outcome()   {}
func (undoWanted) outcome()    {}

// historyRead is the answer of the History.
type historyRead struct {
	run     *run
	entries []apply.Entry
	err     error
}

// history lists the saves.
type history struct {
	env      *env
	run      *run
	cancel   context.CancelFunc
	read     bool
	entries  []apply.Entry
	err      error
	selected int

	width, height int
	top           int
}

var historyKeys = struct{ choose, up, down, pageUp, pageDown, back key.Binding }{
	choose:   bind("enter", "show", "enter"),
	up:       bind("up", "", "up", "k", "shift+tab"),
	down:     bind("up/down", "move", "down", "j", "tab"),
	pageUp:   bind("pgup", "", "pgup"),
	pageDown: bind("pgdn", "", "pgdown", "space"),
	back:     bind("esc", "back", "esc", "q"),
}

// newHistory returns the screen; start reads.
func newHistory(e *env) *history { return &history{env: e, cancel: func() {}} }

func (h *history) start() tea.Cmd {
	ctx, cancel := context.WithCancel(h.env.ctx)
	current, from := newRun(h.run), h.env.effects.History
	h.run, h.cancel = current, cancel
	return func() tea.Msg {
		defer cancel()
		if from == nil {
			return historyRead{run: current, err: errNoEffect}
		}
		entries, err := from.Entries(ctx)
		return historyRead{current, entries, err}
	}
}

func (h *history) close() { h.cancel() }

func (h *history) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case historyRead:
		if msg.run == h.run {
			h.read, h.entries, h.err = true, msg.entries, msg.err
			h.move(0)
		}
	case tea.KeyPressMsg:
		return h.press(msg), nil
	}
	return nil, nil
}

func (h *history) press(msg tea.KeyPressMsg) outcome {
	k := historyKeys
	switch {
	case key.Matches(msg, k.back):
		return closed{}
	case key.Matches(msg, k.up):
		h.move(-1)
	case key.Matches(msg, k.down):
		h.move(1)
	case key.Matches(msg, k.pageUp):
		h.move(-h.listHeight())
	case key.Matches(msg, k.pageDown):
		h.move(h.listHeight())
	case key.Matches(msg, k.choose) && len(h.entries) > 0:
		return entryWanted{h.entries[h.selected]}
	}
	return nil
}

// move selects another save and keeps it in sight.
func (h *history) move(by int) {
	h.selected = max(0, min(h.selected+by, len(h.entries)-1))
	height := h.listHeight()
	h.top = clampTop(min(max(h.top, h.selected-height+1), h.selected), len(h.entries), height)
}

func (h *history) help() []key.Binding {
	k := historyKeys
	k.choose.SetEnabled(len(h.entries) > 0)
	k.down.SetEnabled(len(h.entries) > 1)
	return []key.Binding{k.choose, k.down, k.back}
}

func (h *history) title() string { return "Connection Sync: history" }

func (h *history) explain() (title string, lines []string) {
	return "Help: history", []string{
		"The newest 20 saves. Each keeps the file that it replaced.",
		"Enter shows what a save changed; from there you can roll it back, which restores the file and the service from before it.",
		"A rollback is a save with its own number, so it can be rolled back too.",
	}
}

// entryRead is the answer about one save.
type entryRead struct {
	run    *run
	change apply.Change
	err    error
}

// entryView shows what one save changed.
type entryView struct {
	env    *env
	entry  apply.Entry
	run    *run
	cancel context.CancelFunc
	read   bool
	change apply.Change
	err    error
	onUndo bool // the focus is on Roll Back, else on Back

	width, height int
	text          []string
	top           int
}

var entryKeys = struct{ press, next, up, down, pageUp, pageDown, back key.Binding }{
	press:    bind("enter", "choose", "enter"),
	next:     bind("tab", "next", "tab", "shift+tab", "left", "right"),
	up:       bind("up", "", "up", "k"),
	down:     bind("up/down", "scroll", "down", "j"),
	pageUp:   bind("pgup", "", "pgup", "b"),
	pageDown: bind("pgdn", "", "pgdown", "space"),
	back:     bind("esc", "back", "esc", "q"),
}

// newEntryView returns the screen; start reads.
func newEntryView(e *env, of apply.Entry) *entryView {
	return &entryView{env: e, entry: of, cancel: func() {}}
}

func (s *entryView) start() tea.Cmd {
	ctx, cancel := context.WithCancel(s.env.ctx)
	current, from, of := newRun(s.run), s.env.effects.History, s.entry
	s.run, s.cancel = current, cancel
	return func() tea.Msg {
		defer cancel()
		if from == nil {
			return entryRead{run: current, err: errNoEffect}
		}
		change, err := from.Change(ctx, of)
		return entryRead{current, change, err}
	}
}

func (s *entryView) close() { s.cancel() }

func (s *entryView) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case entryRead:
		if msg.run == s.run {
			s.read, s.change, s.err = true, msg.change, msg.err
			s.layOut()
		}
	case tea.KeyPressMsg:
		return s.press(msg), nil
	}
	return nil, nil
}

func (s *entryView) press(msg tea.KeyPressMsg) outcome {
	k := entryKeys
	switch {
	case key.Matches(msg, k.back), key.Matches(msg, k.press) && !s.onUndo:
		return closed{}
	case key.Matches(msg, k.press):
		return undoWanted{s.entry}
	case key.Matches(msg, k.next) && s.undoable():
		s.onUndo = !s.onUndo
	case key.Matches(msg, k.up):
		s.scroll(-1)
	case key.Matches(msg, k.down):
		s.scroll(1)
	case key.Matches(msg, k.pageUp):
		s.scroll(-s.textHeight())
	case key.Matches(msg, k.pageDown):
		s.scroll(s.textHeight())
	}
	return nil
}

// undoable reports whether there is anything to be had back.
func (s *entryView) undoable() bool { return s.read && s.err == nil }

func (s *entryView) scroll(by int) {
	s.top = clampTop(max(s.top+by, 0), len(s.text), s.textHeight())
}

func (s *entryView) help() []key.Binding {
	k := entryKeys
	k.next.SetEnabled(s.undoable())
	k.down.SetEnabled(len(s.text) > s.textHeight())
	return []key.Binding{k.press, k.next, k.down, k.back}
}

func (s *entryView) title() string { return fmt.Sprintf("Connection Sync: save %d", s.entry.Number) }

func (s *entryView) explain() (title string, lines []string) {
	return "Help: a save", []string{
		"What this save changed: lines with + were added, lines with - were removed.",
		"Roll Back restores the file and the service from before this save. It shows the change first.",
	}
}
