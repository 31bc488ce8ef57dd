package tui

import "charm.land/lipgloss/v2"

// Theme is what each role looks like. Colour never carries a meaning alone:
// wherever a role is used, the words say the same. The zero value is a theme
// without any styles, which costs no byte.
type Theme struct {
	Title, Dim, Accent, Good, Warn, Bad lipgloss.Style
	// Focus is the style of what has the focus: of its mark, and with Bar of its
	// whole line or button. On a slow line only the mark is in reach.
	Focus lipgloss.Style
	Bar   bool
}

// PlainTheme has no styles.
func PlainTheme() Theme { return Theme{} }

// ReverseTheme uses no colour: for a VT100, and where NO_COLOR is set.
func ReverseTheme() Theme { return Theme{Focus: lipgloss.NewStyle().Reverse(true)} }

// ColourTheme uses the 16 colours that every colour terminal has, as its
// owner has set them; no background is touched.
func ColourTheme() Theme {
	s := lipgloss.NewStyle
	return Theme{
		Focus:  s().Reverse(true),
		Title:  s().Bold(true),
		Dim:    s().Foreground(lipgloss.BrightBlack),
		Accent: s().Foreground(lipgloss.Cyan),
		Good:   s().Foreground(lipgloss.Green),
		Warn:   s().Foreground(lipgloss.Yellow),
		Bad:    s().Foreground(lipgloss.Red),
	}
}

// onLight is the theme for a light background, on which the green, the yellow and the cyan
// of most terminals cannot be read. Only a rich terminal says that it has one, and each of
// those has 256 colours.
func (t Theme) onLight() Theme {
	s := lipgloss.NewStyle
	t.Accent, t.Good, t.Warn, t.Bad = s().Foreground(lipgloss.Color("24")), s().Foreground(lipgloss.Color("22")), s().Foreground(lipgloss.Color("94")), s().Foreground(lipgloss.Color("124"))
	t.Dim = s().Foreground(lipgloss.Color("240"))
	return t
}

// ThemeOf is the theme of a terminal. A rich one is on a fast line: all of what
// has the focus is drawn again with every move, in the accent colour if it has
// colours.
func ThemeOf(colour, rich bool) Theme {
	t := ReverseTheme()
	if colour {
		t = ColourTheme()
	}
	if t.Bar = rich; colour && rich {
		t.Focus = lipgloss.NewStyle().Foreground(lipgloss.Black).Background(lipgloss.Cyan)
	}
	return t
}
