package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// What has the focus is reversed: its mark on a line that may be slow, all of its
// row or button on one that is not, in the accent colour where there is colour.
func TestFocusIsSeen(t *testing.T) {
	bar := strings.Repeat(" ", 79)
	row := func(s string) string { return s + bar[len(s):] }
	for _, tt := range []struct {
		name         string
		colour, rich bool
		keys         []string
		want         string
	}{
		{name: "a radio", want: "\n\x1b[7m >\x1b[m Enable Sync           (*) Enable   ( ) Disable\n"},
		{name: "a field", keys: []string{"tab", "tab"}, want: "\n\x1b[7m >\x1b[m Current IP            10.0.0.101/24\n"},
		{name: "a button", keys: []string{"esc"}, want: "[ Status ] \x1b[7m>\x1b[m [ Quit ]\n"},
		{name: "an answer", keys: []string{"space", "ctrl+c"}, want: "\n \x1b[7m>\x1b[m [ No, stay ]"},
		{name: "a line of the list", keys: []string{"tab", "enter"}, want: "\n\x1b[7m >\x1b[m   eth1 "},
		{name: "with colours on a line that may be slow", colour: true, want: "\n\x1b[7m >\x1b[m Enable Sync "},
		{name: "a row", rich: true, keys: []string{"tab"}, want: "\n\x1b[7m" + row(" > Interface Name        eth1             up, 10 Gb/s, no default route") + "\x1b[m\n"},
		{name: "a row with colours", colour: true, rich: true, want: "\n\x1b[30;46m" + row(" > Enable Sync           (*) Enable   ( ) Disable") + "\x1b[m\n"},
		{name: "a button with colours", colour: true, rich: true, keys: []string{"esc"}, want: "> \x1b[30;46m[ Quit ]\x1b[m\n"},
		{name: "a line of the list with colours", colour: true, rich: true, keys: []string{"tab", "enter"}, want: "\n\x1b[30;46m >   eth1 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(t, 80, 24, withSaved, func(o *Options) { o.Theme = ThemeOf(tt.colour, tt.rich) })
			press(t, m, tt.keys...)
			if got := m.View().Content; !strings.Contains(got, tt.want) {
				t.Errorf("no %q in\n%q", tt.want, got)
			}
		})
	}
}

// A key that undoes is named where there is something to undo.
func TestUndoIsNamedWhereItUndoes(t *testing.T) {
	const named = "ctrl+r undo field"
	m := newModel(t, 80, 24, withSaved)
	for _, tt := range []struct {
		keys  []string
		named bool
	}{
		{nil, false}, {[]string{"space"}, true}, {[]string{"tab"}, false}, {[]string{"shift+tab"}, true}, {[]string{"ctrl+r"}, false},
	} {
		press(t, m, tt.keys...)
		if got := strings.Contains(m.View().Content, named); got != tt.named {
			t.Errorf("after %v it is named: %v", tt.keys, got)
		}
	}
}

// A row that is as wide as the screen is whole where it has the focus too.
func TestFocusCutsNothing(t *testing.T) {
	for _, rich := range []bool{false, true} {
		m := newModel(t, 40, 12, withSaved, func(o *Options) { o.Theme = ThemeOf(false, rich) })
		if shown := ansi.Strip(m.View().Content); !strings.Contains(shown, "( ) Disable\n") {
			t.Errorf("rich %v: the row with the focus is cut:\n%s", rich, shown)
		}
	}
}
