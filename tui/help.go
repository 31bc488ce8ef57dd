package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// helpScreen explains what had the focus and lists the keys that work there.
type helpScreen struct {
	heading       string
	lines         []string
	keys          []key.Binding
	width, height int
	first         int
}

var helpKeys = struct{ back, up, down, pageUp, pageDown key.Binding }{
	pageUp:   key.NewBinding(key.WithKeys("pgup")),
	pageDown: key.NewBinding(key.WithKeys("pgdown")),
	back:     key.NewBinding(key.WithKeys("esc", "enter", "ctrl+j", "q", "?", "f1", "space"), key.WithHelp("enter", "back")),
	up:       key.NewBinding(key.WithKeys("up", "k", "shift+tab"), key.WithHelp("up/down", "more")),
	down:     key.NewBinding(key.WithKeys("down", "j", "tab")),
}

// openHelp explains the topmost screen: in its own words where it has some.
func (m *Model) openHelp() tea.Cmd {
	keys := m.top().help()
	if m.top() == screen(m.form) {
		keys = m.form.keys(true)
	}
	h := &helpScreen{heading: "Help", keys: append(keys, rootKeys.redraw, m.quitKey())}
	if e, ok := m.top().(explainer); ok {
		h.heading, h.lines = e.explain()
	}
	return m.open(h, nil)
}

func (h *helpScreen) title() string { return h.heading }

func (h *helpScreen) update(msg tea.Msg) (outcome, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	switch {
	case !ok:
	case key.Matches(k, helpKeys.back):
		return closed{}, nil
	case key.Matches(k, helpKeys.up):
		h.scroll(-1)
	case key.Matches(k, helpKeys.down):
		h.scroll(+1)
	case key.Matches(k, helpKeys.pageUp):
		h.scroll(1 - h.height)
	case key.Matches(k, helpKeys.pageDown):
		h.scroll(h.height - 1)
	}
	return nil, nil
}

func (h *helpScreen) scroll(by int) {
	h.first = max(0, min(h.first+by, len(h.text())-h.height))
}

// text is everything the screen says, wrapped to its width.
func (h *helpScreen) text() []string {
	var out []string
	for _, l := range h.lines {
		for _, w := range wrap(l, h.width-4) {
			out = append(out, "   "+w)
		}
	}
	if len(out) > 0 {
		out = append(out, "")
	}
	for _, b := range h.keys {
		if b.Enabled() && b.Help().Key != "" {
			out = append(out, "   "+pad(b.Help().Key, 12)+b.Help().Desc)
		}
	}
	return out
}

func (h *helpScreen) view() string {
	t := h.text()
	last := min(len(t), h.first+h.height)
	return strings.Join(markMore(slices.Clone(t[h.first:last]), h.width, h.first > 0, last < len(t)), "\n")
}

func (h *helpScreen) resize(width, height int) {
	h.width, h.height = width, height
	h.scroll(0)
}

func (h *helpScreen) help() []key.Binding {
	if len(h.text()) <= h.height {
		return []key.Binding{helpKeys.back}
	}
	return []key.Binding{helpKeys.back, helpKeys.up}
}
