package tui

import (
	"fmt"
	"testing"

	"connsync/conntrackd"
)

// Switching off is not checked, but what may be used all the same is.
func TestSaveIsCheckedWhereTheFileMayBeUsed(t *testing.T) {
	off := pairSettings()
	off.Enabled = false
	for _, tt := range []struct {
		name      string
		unmanaged bool
		settings  conntrackd.Settings
		want      string
	}{
		{"enabled", false, pairSettings(), "*tui.preflight"},
		{"disabled", false, off, "*tui.review"},
		{"enabled, unmanaged", true, pairSettings(), "*tui.preflight"},
		{"disabled, unmanaged", true, off, "*tui.preflight"},
		{"nothing set, unmanaged", true, conntrackd.Defaults(), "*tui.review"},
	} {
		m := New(Options{Glyphs: ASCIIGlyphs(), Unmanaged: tt.unmanaged})
		m.followSave(saveWanted{tt.settings})
		if got := fmt.Sprintf("%T", m.top()); got != tt.want {
			t.Errorf("%s: a save opens %s, want %s", tt.name, got, tt.want)
		}
	}
}
