package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// View draws title, rule, the topmost screen, rule and keys.
func (m *Model) View() tea.View {
	v := tea.View{AltScreen: true, DisableBracketedPasteMode: true}
	if m.width < minWidth || m.height < minHeight {
		v.Content = strings.Join(wrap("This screen is too small: connsync needs 40 by 12. ctrl+c quits.", max(1, m.width)), "\n")
		return v
	}
	rule := " " + m.env.theme.Dim.Render(strings.Repeat(m.env.glyphs.Rule, m.width-2))
	body, x, y, cursor := m.body()
	lines := append([]string{m.title(), rule}, body...)
	lines = append(lines, rule, m.keyLine())
	v.Content = strings.Join(lines, "\n")
	if cursor {
		v.Cursor = tea.NewCursor(x, y+2)
		v.Cursor.Blink = false
	}
	return v
}

// body is the topmost screen, exactly as high as there is room, with the
// dialog over its last lines.
func (m *Model) body() (lines []string, x, y int, cursor bool) {
	room := m.height - 4
	lines = strings.Split(m.top().view(), "\n")
	for len(lines) < room {
		lines = append(lines, "")
	}
	lines = lines[:room]
	for i := range lines {
		lines[i] = strings.TrimRight(m.env.fit(lines[i], m.width), " ")
	}
	if m.dialog != nil {
		box, bx, by := m.dialog.lines(m.width, m.env)
		box = append([]string{" " + strings.Repeat(m.env.glyphs.Rule, m.width-2)}, box...)
		from := max(0, room-len(box))
		return append(lines[:from], box...)[:room], bx, from + 1 + by, true
	}
	if c, ok := m.top().(cursorer); ok {
		x, y, cursor = c.cursor()
	}
	return lines, x, y, cursor
}

func (m *Model) title() string {
	left := ""
	if t, ok := m.top().(interface{ title() string }); ok {
		left = t.title()
	}
	state := m.state
	if m.stateWord != "" {
		state = m.env.role(m.stateWord).Render(m.state)
	}
	host := m.env.shown(m.hostname)
	// What gives way first: the host, then the words that every title has.
	for _, l := range []string{left, shortTitle(left)} {
		for _, right := range []string{text.Join("   ", host, state), state} {
			if gap := m.width - 3 - len(l) - ansi.StringWidth(right); gap >= 2 {
				return " " + m.env.theme.Title.Render(l) + strings.Repeat(" ", gap+1) + right
			}
		}
	}
	return " " + m.env.theme.Title.Render(left)
}

// shortTitle is a title without the words that all have.
func shortTitle(title string) string {
	for _, words := range []string{"Connection Sync: ", "Connection Sync "} {
		if rest, ok := strings.CutPrefix(title, words); ok {
			return text.Capital(rest)
		}
	}
	return title
}

// state is what is known of the service at the start, in a few words.
func (o Options) state() string {
	switch {
	case o.StateUnknown, o.Unmanaged:
		return "sync not known"
	case o.HalfEnabled != "":
		return "sync half enabled"
	}
	return syncState(o.Saved)
}

// forget leaves open whether the sync is enabled, where that is not known.
func (o Options) forget(d *text.Draft) {
	switch {
	case o.Unmanaged:
		d.LeaveState()
	case o.StateUnknown:
		d.ForgetState()
	}
}

func syncState(s conntrackd.Settings) string {
	if s.Enabled {
		return "sync enabled"
	}
	return text.SyncDisabled
}

// keyLine is made of the bindings that work now: first those that are always
// there are given room, then as many of the screen's as fit.
func (m *Model) keyLine() string {
	var own, always []key.Binding
	if m.dialog != nil {
		own = m.dialog.help()
	} else {
		own = m.top().help()
		if m.helpAvailable() {
			always = append(always, rootKeys.help)
		}
	}
	always = append(always, m.quitKey())
	return " " + strings.Join(fitKeys(own, always, m.width-2), "  ")
}

// quitKey is ctrl+c with what it does now.
func (m *Model) quitKey() key.Binding {
	quit := rootKeys.quit
	if does := m.interrupt(); does != "" {
		quit.SetHelp("ctrl+c", does)
	} else if m.setup != nil && !m.setup.done && m.setup.gate == "" {
		quit.SetHelp("ctrl+c", "later")
	}
	return quit
}

func fitKeys(own, always []key.Binding, width int) []string {
	text := func(b key.Binding) string { return b.Help().Key + " " + b.Help().Desc }
	usable := func(b key.Binding) bool { return b.Enabled() && b.Help().Key != "" }
	var tail []string
	for _, b := range always {
		tail = append(tail, text(b))
		width -= len(text(b)) + 2
	}
	var out []string
	fits := func(b key.Binding) bool {
		width -= len(text(b)) + 2
		return width >= -2
	}
	wide := width >= 40
	for _, b := range own {
		if !usable(b) {
			continue
		}
		if !fits(b) {
			return append(out, tail...) // what comes next matters less
		}
		out = append(out, text(b))
	}
	if redraw := rootKeys.redraw; wide && fits(redraw) { // the help screen explains it
		tail = slices.Insert(tail, len(tail)-1, text(redraw))
	}
	return append(out, tail...)
}

// helpAvailable is false on the help screen itself.
func (m *Model) helpAvailable() bool {
	_, isHelp := m.top().(*helpScreen)
	return !isHelp
}
