package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/tui/text"
)

// statusList is a list behind the status: all events, or the connections that would be
// lost. It shows what the pulse has, as that changes.
type statusList struct {
	env   *env
	pulse *pulse
	kind  listKind

	width, height int
	top           int
}

// listKind is what a list shows.
type listKind int

const (
	coverageList listKind = iota
	eventsList
)

// listWanted opens a list.
type listWanted struct{ kind listKind }

func (listWanted) outcome() {}

var listKeys = struct{ up, down, pageUp, pageDown, again, back key.Binding }{
	up:       bind("up", "", "up", "k"),
	down:     bind("up/down", "scroll", "down", "j"),
	pageUp:   bind("pgup", "", "pgup"),
	pageDown: bind("pgdown", "page", "pgdown", "space"),
	again:    bind("r", "refresh", "r"),
	back:     bind("esc", "back", "esc", "enter", "q"),
}

func (l *statusList) start() tea.Cmd { return tea.Batch(l.pulse.start(), l.pulse.readEvents()) }

func (l *statusList) update(msg tea.Msg) (outcome, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	switch {
	case !ok:
	case key.Matches(k, listKeys.back):
		return closed{}, nil
	case key.Matches(k, listKeys.again):
		return nil, l.start()
	case key.Matches(k, listKeys.up):
		l.scroll(-1)
	case key.Matches(k, listKeys.down):
		l.scroll(1)
	case key.Matches(k, listKeys.pageUp):
		l.scroll(1 - l.height)
	case key.Matches(k, listKeys.pageDown):
		l.scroll(l.height - 1)
	}
	return nil, nil
}

func (l *statusList) scroll(by int) {
	l.top = clampTop(max(l.top+by, 0), len(l.text()), max(l.height-1, 1))
}

// text is all lines, in the width.
func (l *statusList) text() []string {
	if l.kind == coverageList {
		return l.coverage()
	}
	return l.events()
}

func (l *statusList) coverage() []string {
	h := l.pulse.health
	if h.Coverage == nil {
		return hang(l.env.fitting(text.Join(": ", "The connections could not be read", text.Coverage(h))), " ", l.width)
	}
	var lines []string
	for _, line := range text.ListedCoverage(h, l.width < 60) {
		said := strings.TrimLeft(line, " ")
		indent := " " + line[:len(line)-len(said)]
		if word, rest, ok := strings.Cut(said, "  "); ok && said == line { // the word of the verdict
			indent, said = " "+text.Column(word), strings.TrimLeft(rest, " ")
		}
		if l.width < 60 {
			indent = " "
		}
		lines = append(lines, hang(l.env.fitting(said), indent, l.width)...)
	}
	if h.Coverage.Lost() == 0 {
		lines = append(lines, "", " No connection of this node would be lost.")
	}
	return lines
}

func (l *statusList) events() []string {
	log := l.pulse.log
	if log == nil {
		return []string{" " + looking}
	}
	var lines []string
	for _, e := range log.Events {
		at, what, _ := strings.Cut(l.env.fitting(text.EventLine(e)), "  ")
		first := " " + at + "  "
		if l.width < 60 {
			lines = append(lines, " "+at)
			first = "   "
		}
		lines = append(lines, hang(what, first, l.width)...)
	}
	if lines == nil {
		lines = append(lines, " "+text.NoEvents(*log))
	}
	lines = append(lines, "")
	for _, note := range text.EventNotes(*log) {
		lines = append(lines, hang(l.env.fitting(note), " ", l.width)...)
	}
	return lines
}

func (l *statusList) view() string {
	return scrolled(l.env, l.text(), l.top, l.height)
}

// scrolled is a window of height lines, the last of which says what is out of sight.
func scrolled(e *env, lines []string, top, height int) string {
	room := height
	if len(lines) > height {
		room = max(height-1, 1)
	}
	top = clampTop(top, len(lines), room)
	shown := window(lines, top, room)
	if room < height {
		shown = append(shown, e.theme.Dim.Render(more(top, len(lines), room)))
	}
	return strings.TrimRight(strings.Join(shown, "\n"), "\n")
}

func (l *statusList) resize(width, height int) {
	l.width, l.height = width, height
	l.scroll(0)
}

func (l *statusList) help() []key.Binding {
	k := listKeys
	long := len(l.text()) > l.height
	k.down.SetEnabled(long)
	k.pageDown.SetEnabled(long)
	return []key.Binding{k.back, k.down, k.pageDown, k.again}
}

func (l *statusList) title() string {
	if l.kind == coverageList {
		return "Connection Sync: coverage"
	}
	return "Connection Sync: events"
}
