package tui

import (
	"image/color"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// On a light background the colours are those that can be read there.
func TestThemeOnLightBackground(t *testing.T) {
	for name, tt := range map[string]struct {
		background color.Color
		want, not  string
	}{
		"light": {color.White, "\x1b[38;5;22m", "\x1b[32m"},
		"dark":  {color.Black, "\x1b[32m", "\x1b[38;5;22m"},
	} {
		m := New(Options{Glyphs: ASCIIGlyphs(), Theme: ThemeOf(true, true)})
		m.Update(tea.BackgroundColorMsg{Color: tt.background})
		if said := m.env.theme.Good.Render("ok"); !strings.Contains(said, tt.want) || strings.Contains(said, tt.not) {
			t.Errorf("%s: %q", name, said)
		}
	}
}
