package tui

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

// openAdvanced opens the page and gives the focus to a field of it.
func openAdvanced(t *testing.T, m *Model, f conntrackd.Field) {
	t.Helper()
	press(t, m, "ctrl+o")
	at := m.form.index(f)
	if !m.form.advanced || at < 0 {
		t.Fatalf("%s is not on the advanced page", f)
	}
	for m.form.focus != at {
		press(t, m, "tab")
	}
}

// TestAdvancedPages draws the page behind the first one at every size.
func TestAdvancedPages(t *testing.T) {
	at := func(f conntrackd.Field, do func(d *driver)) func(d *driver) {
		return func(d *driver) {
			openAdvanced(d.t, d.m, f)
			do(d)
		}
	}
	pages := []page{
		{name: "first", do: func(d *driver) { d.press("ctrl+o") }},
		{name: "changed", do: at(conntrackd.FieldResendQueueSize, func(d *driver) {
			typeText(d.t, d.m, "262144")
			d.press("tab", "shift+tab")
		})},
		{name: "scrolled", do: at(conntrackd.FieldChecksum, func(d *driver) { d.press("left", "tab") })},
		{name: "problem", do: at(conntrackd.FieldPollSecs, func(d *driver) {
			typeText(d.t, d.m, "often")
			d.press("ctrl+o", "esc", "left", "left", "left", "enter")
		})},
		{name: "help", do: at(conntrackd.FieldProtocols, func(d *driver) {
			typeText(d.t, d.m, "tcp,udp")
			d.press("?")
		})},
		{name: "back", do: func(d *driver) { d.press("ctrl+o", "shift+tab") }},
	}
	checkPages(t, pages, "changed", "scrolled")
	checkWide(t, pages, "first", "changed")
}

// The page is opened and left by its key, left with esc and the button too, and the
// first page is as it was then.
func TestAdvancedPageIsOpenedAndLeft(t *testing.T) {
	for _, tt := range []struct {
		name, open string
		leave      []string
	}{
		{"key", "ctrl+o", []string{"ctrl+o"}},
		{"esc", "ctrl+o", []string{"tab", "esc"}},
		{"button", "ctrl+o", []string{"shift+tab", "enter"}},
	} {
		m := newModel(t, 80, 24, withSaved)
		press(t, m, "tab", "tab")
		before := m.View().Content
		press(t, m, tt.open)
		if got := m.View().Content; !strings.Contains(got, "Connection Sync: advanced settings") || !strings.Contains(got, "Transport and mode") {
			t.Errorf("%s: not open:\n%s", tt.name, got)
		}
		press(t, m, tt.leave...)
		if diff := cmp.Diff(before, m.View().Content); diff != "" {
			t.Errorf("%s: the first page (-before +after):\n%s", tt.name, diff)
		}
	}
}

// A larger screen has a last button that opens it; the usual one has the key alone.
func TestAdvancedButtonOnLargeScreens(t *testing.T) {
	for _, size := range [][2]int{{40, 12}, {60, 40}, {80, 24}, {80, 25}, {132, 24}} {
		m := newModel(t, size[0], size[1])
		large := size[0] >= 80 && size != [2]int{80, 24}
		if got := strings.Contains(m.View().Content, "[ Advanced ]"); got != large {
			t.Errorf("%v: a button: %v", size, got)
		}
		if press(t, m, "shift+tab", "enter"); large != m.form.advanced {
			t.Errorf("%v: the last place leads to the advanced page: %v", size, m.form.advanced)
		}
	}
}

// What is not in the file is blank, and stays so until it is given; what is cleared is
// left to conntrackd.
func TestAdvancedValueIsBlankUntilGiven(t *testing.T) {
	const queue, purge, growth = conntrackd.FieldResendQueueSize, conntrackd.FieldPurgeTimeout, conntrackd.FieldNetlinkMaxGrowth
	m := newModel(t, 80, 24, withSaved, func(o *Options) { o.Saved.PurgeTimeout = 15 })
	openAdvanced(t, m, growth) // past all before it
	s, problems := m.form.draft.Settings()
	if want := m.form.inForce; s.PurgeTimeout != 15 || s.ResendQueueSize != want.ResendQueueSize || len(problems) > 0 || m.form.draft.Dirty() {
		t.Fatalf("looking changed something: %+v, %v, %v", s, problems, m.form.draft.Changes())
	}
	for m.form.fields[m.form.focus].Field != purge {
		press(t, m, "shift+tab")
	}
	press(t, m, "ctrl+u", "shift+tab")
	typeText(t, m, "4096")
	s, _ = m.form.draft.Settings()
	if got := conntrackd.NewSettingTable().Values(s); got[purge] != conntrackd.DefaultWord || got[queue] != "4096" || got[growth] != "" {
		t.Errorf("cleared %q, given %q, left alone %q", got[purge], got[queue], got[growth])
	}
	if diff := cmp.Diff([]conntrackd.Field{queue, purge}, m.form.draft.Changes()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	press(t, m, "ctrl+r", "tab", "ctrl+r")
	if m.form.draft.Dirty() {
		t.Errorf("undone: %v", m.form.draft.Changes())
	}
}

// Choices are turned with space and the arrows; where there is no room for all of them
// the one that is taken stands alone.
func TestAdvancedChoices(t *testing.T) {
	for _, tt := range []struct {
		width       int
		keys        []string
		value, view string
	}{
		{80, nil, "default", "( ) on   ( ) off   (*) default"},
		{80, []string{"space"}, "on", "(*) on   ( ) off   ( ) default"},
		{80, []string{"left"}, "off", "( ) on   (*) off   ( ) default"},
		{80, []string{"left", "left", "left"}, "on", "(*) on   ( ) off"},
		{80, []string{"space", "right"}, "off", "(*) off"},
		{80, []string{"right"}, "default", "(*) default"},
		{40, []string{"space", "space"}, "off", "< off >"},
	} {
		m := newModel(t, tt.width, 24, withSaved)
		openAdvanced(t, m, conntrackd.FieldChecksum)
		press(t, m, tt.keys...)
		if got := m.form.value(); got != tt.value || !strings.Contains(m.View().Content, tt.view) {
			t.Errorf("%d wide, %v: %q, want %q and %q in\n%s", tt.width, tt.keys, got, tt.value, tt.view, m.View().Content)
		}
	}
}

// A save that an advanced value stands in the way of leads there.
func TestSaveLeadsToAnAdvancedProblem(t *testing.T) {
	m := newModel(t, 80, 24, withSaved)
	openAdvanced(t, m, conntrackd.FieldPurgeTimeout)
	typeText(t, m, "soon")
	press(t, m, "ctrl+o")
	if got := m.View().Content; !strings.Contains(got, "! purge timeout") && !strings.Contains(got, "! Purge Timeout") {
		t.Errorf("the first page does not name it:\n%s", got)
	}
	press(t, m, "esc", "left", "left", "left", "enter")
	if f := m.form; !f.advanced || f.focus >= len(f.fields) || f.fields[f.focus].Field != conntrackd.FieldPurgeTimeout {
		t.Fatalf("the focus is elsewhere:\n%s", m.View().Content)
	}
	if got := m.View().Content; !strings.Contains(got, "! Not saved: purge timeout") {
		t.Errorf("the reason is not told:\n%s", got)
	}
}

// A list may be longer than a single value.
func TestLongListIsNotCut(t *testing.T) {
	list := strings.Repeat("192.0.2.1,", 200) + "192.0.2.2"
	m := newModel(t, 80, 24, withSaved)
	openAdvanced(t, m, conntrackd.FieldIgnoreAddresses)
	typeText(t, m, list)
	if got := m.form.value(); got != list {
		t.Errorf("%d of %d characters: %q", len(got), len(list), got)
	}
}

// The setup asks for none of them, and all the same for one that is in the way.
func TestSetupAsksOnlyForAnAdvancedProblem(t *testing.T) {
	m := newModel(t, 80, 24, func(o *Options) { o.Saved, o.Setup = savedSettings(), &Setup{} }, func(o *Options) { o.Saved.Enabled = false })
	press(t, m, "ctrl+o")
	if m.form.advanced {
		t.Fatal("ctrl+o opens the advanced page in a setup")
	}
	m.form.draft.Set(conntrackd.FieldExternalCache, "on")
	if m.setup.goTo(len(m.setup.pages) - 1); !strings.Contains(m.View().Content, "   External Cache On\n") {
		t.Errorf("the answers do not have it:\n%s", m.View().Content)
	}
	m.form.draft.Set(conntrackd.FieldPurgeTimeout, "soon")
	m.setup.goTo(len(m.setup.pages) - 1)
	press(t, m, "enter")
	if got := m.View().Content; !strings.Contains(got, "> Purge Timeout") || !strings.Contains(got, "soon") {
		t.Errorf("it is not asked for:\n%s", got)
	}
}
