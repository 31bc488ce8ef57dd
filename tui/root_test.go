package tui

import (
	"testing"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
)

var _ tea.Model = (*Model)(nil)
var _ = textinput.New

func TestTooSmall(t *testing.T) {
	m := New(Options{Saved: conntrackd.Defaults(), Glyphs: ASCIIGlyphs()})
	m.Update(tea.WindowSizeMsg{Width: 39, Height: 12})
	if got := m.View().Content; got != "connsync needs a screen of 40 by 12;\nthis one is smaller. ctrl+c quits." {
		t.Errorf("%q", got)
	}
}
