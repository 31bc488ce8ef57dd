package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
)

// Every hint fits where it stands: on one line at 80 columns, on two at 40.
func TestHintsFit(t *testing.T) {
	for i := range fields(conntrackd.NewSettingTable()) {
		for _, size := range sizes {
			m := newModel(t, size[0], size[1])
			m.form.moveTo(i)
			if l := line(m, "..."); l != "" {
				t.Errorf("%s at %v is cut: %q", m.form.fields[i].Field, size, l)
			}
		}
	}
}

func TestErrorShowsOnLeavingAndIsCured(t *testing.T) {
	m := newModel(t, 80, 24, withSaved)
	press(t, m, "tab", "tab", "tab", "ctrl+u")
	typeText(t, m, "10.0.1.102/24")
	mustNotShow(t, m, "! 10.0.1.102")
	press(t, m, "tab")
	mustShow(t, m, "! Peer IP: 10.0.1.102 is not in 10.0.0.0/24", "Peer IP             ! 10.0.1.102/24")
	press(t, m, "shift+tab")
	for range len("1.102/24") {
		press(t, m, "backspace")
	}
	typeText(t, m, "0.102/")
	mustShow(t, m, "! 10.0.1.102 is not in")
	typeText(t, m, "2")
	mustNotShow(t, m, "is not in", "! 10")
}

// The other address can be the one that is wrong: curing it cures the first.
func TestPairIsCuredFromEitherSide(t *testing.T) {
	m := newModel(t, 80, 24, withSaved)
	press(t, m, "tab", "tab", "ctrl+u")
	typeText(t, m, "10.0.1.101/24")
	press(t, m, "tab")
	mustShow(t, m, "Peer IP             ! 10.0.0.102/24")
	press(t, m, "shift+tab", "ctrl+r")
	mustNotShow(t, m, "!")
}

func TestBlankFieldsAreNamedOnSaveOnly(t *testing.T) {
	m := newModel(t, 80, 24)
	press(t, m, "space", "tab", "tab", "tab", "tab")
	mustNotShow(t, m, "!")
	press(t, m, "esc", "left", "left", "left")
	mustShow(t, m, "! Not possible yet. Interface Name: no interface is named")
	press(t, m, "enter")
	mustShow(t, m, " > Interface Name      !", "   Peer IP             !", "! Not saved: no interface is named")
	press(t, m, "enter", "enter") // the list, and its proposal
	mustShow(t, m, "   Interface Name      * bond0", " > Current IP          * 10.0.2.1/31")
}

func TestSaveAsksForTheSave(t *testing.T) {
	f := newModel(t, 80, 24, withSaved).form
	o := f.save()
	if got, ok := o.(saveWanted); !ok || got.settings != savedSettings() {
		t.Errorf("save gave %#v", o)
	}
	f.draft.Set(conntrackd.FieldPort, "70000")
	if o := f.save(); o != nil || !f.refused || !f.focused(conntrackd.FieldPort) {
		t.Errorf("save of a bad port gave %#v, focus %d", o, f.focus)
	}
	f.draft.Set(conntrackd.FieldPort, "3780")
	f.draft.Set(conntrackd.FieldEnabled, "disable")
	if got, ok := f.check().(checkWanted); !ok || got.settings.Enabled {
		t.Errorf("check of a disabled sync gave %#v", got)
	}
	f.draft.Set(conntrackd.FieldPeerIP, "")
	if o := f.check(); o != nil || f.refused || !f.focused(conntrackd.FieldPeerIP) {
		t.Errorf("check without a peer gave %#v, focus %d", o, f.focus)
	}
}

// Each button does what it says, and Save from the quit dialog saves.
func TestButtons(t *testing.T) {
	for _, tc := range []struct {
		keys []string
		want string
	}{
		{[]string{"esc", "left", "left", "left", "enter"}, "tui.saveWanted"},
		{[]string{"esc", "left", "left", "space"}, "tui.checkWanted"},
		{[]string{"esc", "left", "enter"}, "tui.statusWanted"},
		{[]string{"esc", "enter"}, "tui.quitWanted"},
		{[]string{"esc", "right", "right", "enter"}, "tui.quitWanted"},
		{[]string{"esc", "up", "enter"}, ""},
		{[]string{"tab", "enter"}, "tui.pickWanted"},
		{[]string{"tab", "space"}, "tui.pickWanted"},
	} {
		f := newModel(t, 80, 24, withSaved).form
		var last outcome
		for _, k := range tc.keys {
			last, _ = f.update(keyOf(k))
		}
		if got := typeName(last); got != tc.want {
			t.Errorf("%v gave %s, want %s", tc.keys, got, tc.want)
		}
	}
}

// Round and round with tab, back with shift+tab, and nothing is changed by it.
func TestFocusMoves(t *testing.T) {
	m := newModel(t, 80, 24, withSaved)
	for _, key := range []string{"tab", "down", "shift+tab", "up"} {
		before := m.form.focus
		seen := map[int]bool{}
		for i := range m.form.stops() {
			if key == "up" && i > 0 && m.form.focus >= len(m.form.fields) {
				m.form.moveTo(len(m.form.fields) - 1)
			}
			press(t, m, key)
			seen[m.form.focus] = true
		}
		if key != "up" && (m.form.focus != before || len(seen) != m.form.stops()) {
			t.Errorf("%s: from %d to %d over %d places", key, before, m.form.focus, len(seen))
		}
	}
	press(t, m, "esc", "up")
	if m.form.focus != len(m.form.fields)-1 {
		t.Errorf("up from the buttons goes to %d", m.form.focus)
	}
	if m.form.draft.Dirty() {
		t.Errorf("moving changed %v", m.form.draft.Changes())
	}
}

func TestInterfaceByHand(t *testing.T) {
	m := newModel(t, 80, 24)
	press(t, m, "tab")
	typeText(t, m, "eth1")
	press(t, m, "enter")
	mustShow(t, m, "Interface Name      * eth1             up, 10 Gb/s, no default route", " > Current IP          * 10.0.0.101/24")

	m = newModel(t, 80, 24)
	press(t, m, "tab")
	typeText(t, m, "eth")
	press(t, m, "enter")
	mustShow(t, m, "Find: eth ", " of 10")

	m = newModel(t, 80, 24)
	press(t, m, "tab")
	typeText(t, m, "sync7")
	press(t, m, "tab")
	mustShow(t, m, "not on this host", "! Interface Name: sync7 is not on this host")

	m = newModel(t, 80, 24)
	press(t, m, "tab")
	typeText(t, m, "fe0")
	press(t, m, "tab")
	mustShow(t, m, `! Interface Name: conntrackd reads "fe0" as an IPv6 address`)
}

// Without any list of interfaces the name can be typed, and enter goes on.
func TestInterfaceByHandWithoutList(t *testing.T) {
	m := New(Options{Saved: conntrackd.Defaults(), Glyphs: ASCIIGlyphs()})
	perform(m, m.Init())
	press(t, m, "tab")
	typeText(t, m, "eth1")
	press(t, m, "enter")
	if !m.form.focused(conntrackd.FieldCurrentIP) {
		t.Errorf("the focus is at %d\n%s", m.form.focus, shot(m))
	}
}

func TestSuggestionIsTaken(t *testing.T) {
	m := newModel(t, 80, 24, withNeighbours("10.0.0.102", "10.0.0.103"))
	press(t, m, "tab")
	typeText(t, m, "eth1")
	press(t, m, "tab", "tab")
	mustShow(t, m, "right arrow: 10.0.0.102/24")
	typeText(t, m, "10.0.0.103")
	mustShow(t, m, "right arrow: 10.0.0.103/24")
	press(t, m, "left", "right") // inside the text it moves the cursor
	if v := m.form.draft.Value(conntrackd.FieldPeerIP); v != "10.0.0.103" {
		t.Errorf("Peer IP is %q", v)
	}
	press(t, m, "right")
	mustShow(t, m, " > Peer IP             * 10.0.0.103/24")
	mustNotShow(t, m, "right arrow")
}

// A list that arrives while someone types changes nothing under the cursor.
func TestListArrivesWhileTyping(t *testing.T) {
	m := newModel(t, 80, 24, withSaved)
	press(t, m, "tab", "tab", "home")
	typeText(t, m, "1")
	m.Update(interfacesListed{run: m.form.host.run, list: appliance()[:2]})
	typeText(t, m, "2")
	if v := m.form.draft.Value(conntrackd.FieldCurrentIP); v != "1210.0.0.101/24" {
		t.Errorf("Current IP is %q", v)
	}
	mustShow(t, m, "not on this host")
}

func TestPasteGoesToTheField(t *testing.T) {
	m := newModel(t, 80, 24)
	press(t, m, "tab", "tab")
	m.Update(tea.PasteMsg{Content: "10.0.0.101/24\r\n"})
	press(t, m, "tab")
	if v := m.form.draft.Value(conntrackd.FieldCurrentIP); strings.TrimSpace(v) != "10.0.0.101/24" {
		t.Errorf("Current IP is %q", v)
	}
	mustNotShow(t, m, "!")
	press(t, m, "shift+tab", "shift+tab", "shift+tab")
	m.Update(tea.PasteMsg{Content: "enable"})
	if m.form.draft.Value(conntrackd.FieldEnabled) != "disable" {
		t.Error("a paste changed the radio")
	}
}

// What is typed in another script is shown so that the line can take it, and
// named for what it is.
func TestForeignCharacters(t *testing.T) {
	m := newModel(t, 80, 24)
	press(t, m, "tab", "tab")
	typeText(t, m, "１0.0.0.1/24")
	press(t, m, "tab")
	mustShow(t, m, "?0.0.0.1/24", "U+FF11")
	if content := m.View().Content; strings.ContainsFunc(content, func(r rune) bool { return r > '~' }) {
		t.Error("a character outside ASCII is on an ASCII screen")
	}
}

func TestGate(t *testing.T) {
	m := newModel(t, 80, 24, withSaved, func(o *Options) { o.Gate = "this appliance runs WAF" })
	mustShow(t, m, "this appliance runs WAF")
	mustNotShow(t, m, "Save", "Enable Sync")
	press(t, m, "tab", "down", "x", "right")
	m.Update(tea.PasteMsg{Content: "x"})
	if m.form.draft.Dirty() {
		t.Error("a gated form can be changed")
	}
	if _, ok := press(t, m, "enter").(tea.QuitMsg); !ok {
		t.Error("enter does not quit")
	}
}

func TestSettingsSaved(t *testing.T) {
	m := newModel(t, 80, 24)
	m.form.draft.Take(savedSettings().Values())
	m.Update(settingsSaved{settings: savedSettings()})
	mustShow(t, m, "sync enabled")
	unseen := New(Options{Glyphs: ASCIIGlyphs(), StateUnknown: true})
	mustShow(t, unseen, "sync not known")
	half := New(Options{Glyphs: ASCIIGlyphs(), Saved: savedSettings(), HalfEnabled: "conntrackd runs now, and does not start at boot"})
	mustShow(t, half, "sync half enabled")
	mustShow(t, half, "conntrackd runs now, and does not start at boot: Enable does both, Disable", "neither.")
	half.Update(settingsSaved{settings: savedSettings()})
	mustShow(t, half, "sync enabled")
	if strings.Contains(shot(half), "start at boot: Enable") {
		t.Errorf("after a save:\n%s", shot(half))
	}
	foreign := New(Options{Glyphs: ASCIIGlyphs(), Saved: conntrackd.Defaults(), ForeignFile: true})
	press(t, foreign, "shift+tab", "shift+tab", "shift+tab", "shift+tab")
	mustShow(t, foreign, "Save Changes: write and restart, or stop, as Enable Sync says.")
	// A save of the same settings still restarts for a file that was changed by hand,
	// and prepares the host.
	press(t, m, "shift+tab", "shift+tab", "shift+tab", "shift+tab")
	mustShow(t, m, "Save Changes: no setting was changed; check, and show what is left to do.")
	if _, ok := press(t, m, "ctrl+c").(tea.QuitMsg); !ok {
		t.Errorf("what is saved is asked about\n%s", shot(m))
	}
}
