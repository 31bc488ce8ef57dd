package tui

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// role is the style that goes with a word such as [text.OK].
func (e *env) role(word string) lipgloss.Style {
	switch word {
	case text.OK:
		return e.theme.Good
	case text.Warn, text.Unknown:
		return e.theme.Warn
	case text.Fail:
		return e.theme.Bad
	}
	return e.theme.Dim
}

// word is word in its colour, padded to the column that all words share.
func (e *env) word(word string) string {
	return e.role(word).Render(word) + strings.Repeat(" ", text.WordWidth-len(word)+2)
}

// fit cuts s to width cells and marks the cut.
func (e *env) fit(s string, width int) string {
	if ansi.StringWidth(s) <= width {
		return s
	}
	return ansi.Truncate(s, max(width, 0), e.glyphs.Ellipsis)
}

// around is what of s fits into width cells around pos, with a mark on each side that
// hides some of it, and the column of pos.
func (e *env) around(s []rune, pos, width int) (shown string, x int) {
	cells := func(from, to int) int { return ansi.StringWidth(e.shown(string(s[from:to]))) }
	mark := ansi.StringWidth(e.glyphs.Ellipsis)
	from, last := max(0, pos-width), width // a list may be long
	if pos < len(s) && cells(from, len(s)) > width {
		last -= mark
	}
	for cells(from, pos) >= last {
		from++
	}
	if shown = e.fit(e.shown(string(s[from:])), width); from > 0 {
		shown = ansi.TruncateLeft(shown, mark, e.glyphs.Ellipsis)
	}
	return shown, cells(from, pos)
}

// mark is the two cells before a line that can have the focus.
func (e *env) mark(focused bool) string {
	if focused {
		return e.glyphs.Mark + " "
	}
	return "  "
}

// focused gives lines the style of what has the focus. The first one begins with
// the mark. Without focus they stay as they are.
func (e *env) focused(focus bool, width int, lines ...string) []string {
	switch {
	case !focus:
	case e.theme.Bar:
		for i := range lines {
			line := ansi.Strip(lines[i]) // one may be as wide as the screen
			lines[i] = e.theme.Focus.Render(pad(line, max(width-1, ansi.StringWidth(line))))
		}
	default:
		before, after, _ := strings.Cut(lines[0], e.glyphs.Mark)
		lines[0] = e.theme.Focus.Render(before+e.glyphs.Mark) + after
	}
	return lines
}

// pair is the two addresses and their port on one line.
func (e *env) pair(s conntrackd.Settings) string {
	return e.shown(s.Interface) + "  " + text.Prefix(s.Current, s.Peer) + " " + e.glyphs.Arrow + " " +
		text.Prefix(s.Peer, s.Current) + "  port " + strconv.Itoa(int(s.Port))
}

// styled renders each line in the style of a word.
func (e *env) styled(word string, lines []string) []string {
	for i := range lines {
		lines[i] = e.role(word).Render(lines[i])
	}
	return lines
}

// bind is a key binding with its help; without does it is not in the key line.
func bind(help, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
}

// hang wraps s to width cells. The first line starts with first, the others
// with as many spaces.
func hang(s, first string, width int) []string {
	indent := ansi.StringWidth(first)
	lines := wrap(s, max(width-indent, 8))
	for i := range lines {
		lines[i] = strings.TrimRight(first+lines[i], " ")
		first = strings.Repeat(" ", indent)
	}
	return lines
}

// rows lays out rows: each text hangs behind its label.
func (e *env) rows(rows []text.Row, width int) []string {
	var lines []string
	for _, r := range rows {
		label := " "
		if r.Label != "" {
			label += r.Label + "  "
		}
		hung := hang(e.fitting(r.Text), label, width)
		if r.Word != "" {
			hung = e.styled(r.Word, hung)
		}
		lines = append(lines, hung...)
		for _, command := range r.Commands {
			lines = append(lines, hang(e.fitting(command), strings.Repeat(" ", len(label)+2), width)...)
		}
	}
	return lines
}

// clampTop is the first line to show of total ones in a window of height
// lines, as near to top as can be.
func clampTop(top, total, height int) int {
	return max(0, min(top, total-height))
}

// window is height lines of lines from top on, filled up with blank ones.
func window(lines []string, top, height int) []string {
	out := make([]string, max(height, 0))
	copy(out, lines[min(top, len(lines)):])
	return out
}

// more says how much is out of sight above and below a window.
func more(top, total, height int) string {
	above, below := top, total-top-height
	switch {
	case above > 0 && below > 0:
		return fmt.Sprintf("   (%d more above, %d below)", above, below)
	case above > 0:
		return fmt.Sprintf("   (%d more above)", above)
	case below > 0:
		return fmt.Sprintf("   (%d more below)", below)
	}
	return ""
}

// errNoEffect is shown where the program was started without the means.
var errNoEffect = errors.New("not available on this host")

// run is the identity of a command that a newer one can supersede. It is
// compared by address, so that the runs of two screens differ as well.
type run struct{ number int }

// newRun is the run after the last one, which may be nil.
func newRun(last *run) *run {
	if last == nil {
		return &run{1}
	}
	return &run{last.number + 1}
}
