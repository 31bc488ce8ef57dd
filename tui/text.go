package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// wrap breaks s at spaces into lines of at most width cells; a word that is
// longer is cut into pieces.
func wrap(s string, width int) []string {
	if width < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(s, width, ""), "\n")
}

// pad fills s with spaces up to width cells, or cuts it there.
func pad(s string, width int) string {
	w := ansi.StringWidth(s)
	if w > width {
		return ansi.Truncate(s, width, "")
	}
	return s + strings.Repeat(" ", width-w)
}
