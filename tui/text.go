package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// wrap breaks s at spaces into lines of at most width cells; a word that is
// longer is cut into pieces. A flag stays whole, so that a command can be copied.
func wrap(s string, width int) []string {
	if width < 1 {
		return nil
	}
	// ansi.Wrap breaks at every hyphen. No text that is shown has a unit separator.
	const whole = "\x1f"
	wrapped := ansi.Wrap(strings.ReplaceAll(s, "-", whole), width, "")
	return strings.Split(strings.ReplaceAll(wrapped, whole, "-"), "\n")
}

// pad fills s with spaces up to width cells, or cuts it there.
func pad(s string, width int) string {
	w := ansi.StringWidth(s)
	if w > width {
		return ansi.Truncate(s, width, "")
	}
	return s + strings.Repeat(" ", width-w)
}

// markMore says at the right edge of the first and the last line that there is
// more above or below.
func markMore(lines []string, width int, above, below bool) []string {
	edge := func(i int, sign string) { lines[i] = pad(lines[i], width-1) + sign }
	if above && len(lines) > 0 {
		edge(0, "^")
	}
	if below && len(lines) > 0 {
		edge(len(lines)-1, "v")
	}
	return lines
}

// paragraph wraps text into exactly so many rows behind a margin; what does
// not fit is cut.
func paragraph(text string, margin, width, rows int, ellipsis string) []string {
	width -= margin + 1
	lines := wrap(text, width)
	out := make([]string, rows)
	for i := range out {
		if i >= len(lines) || text == "" {
			break
		}
		l := lines[i]
		if i == rows-1 && len(lines) > rows {
			l = ansi.Truncate(strings.Join(lines[i:], " "), width, ellipsis)
		}
		out[i] = strings.Repeat(" ", margin) + l
	}
	return out
}
