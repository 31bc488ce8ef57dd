package tui

import "charm.land/lipgloss/v2"

// Theme is what each role looks like. Colour never carries a meaning alone:
// wherever a role is used, the words say the same. The zero value is a theme
// without any styles, which costs no byte.
type Theme struct {
	Title, Dim, Accent, Good, Warn, Bad lipgloss.Style
}

// PlainTheme has no styles: for serial lines, and where NO_COLOR is set.
func PlainTheme() Theme { return Theme{} }

// ColourTheme uses the 16 colours that every colour terminal has, as its
// owner has set them; no background is touched.
func ColourTheme() Theme {
	s := lipgloss.NewStyle
	return Theme{
		Title:  s().Bold(true),
		Dim:    s().Foreground(lipgloss.BrightBlack),
		Accent: s().Foreground(lipgloss.Cyan),
		Good:   s().Foreground(lipgloss.Green),
		Warn:   s().Foreground(lipgloss.Yellow),
		Bad:    s().Foreground(lipgloss.Red),
	}
}
