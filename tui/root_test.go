package tui

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// watched is an Interfaces whose lists the test sends by itself.
type watched struct {
	lists chan []netcheck.Interface
	err   error
}

func (w *watched) Watch(context.Context) (<-chan []netcheck.Interface, error) { return w.lists, w.err }

// seen is a Neighbours with one answer.
type seen []netip.Addr

func (s seen) Neighbours(context.Context, int) ([]netip.Addr, error) { return s, nil }

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// appliance is the interfaces of a small firewall.
func appliance() []netcheck.Interface {
	return []netcheck.Interface{
		{Index: 1, Name: "lo", Kind: "loopback", Up: true, Carrier: true, Loopback: true, Addresses: prefixes("127.0.0.1/8")},
		{Index: 2, Name: "eth0", Kind: "physical", Up: true, Carrier: true, SpeedMbps: 1000, Addresses: prefixes("192.0.2.10/24"), DefaultRoute: true, Alias: "uplink"},
		{Index: 3, Name: "eth1", Kind: "physical", Up: true, Carrier: true, SpeedMbps: 10000, Addresses: prefixes("10.0.0.101/24", "fe80::1/64")},
		{Index: 4, Name: "eth2", Kind: "physical", Up: true},
		{Index: 5, Name: "fe0", Kind: "physical", Up: true, Carrier: true, SpeedMbps: 2500, Addresses: prefixes("10.9.0.1/30")},
		{Index: 6, Name: "eth10", Kind: "physical", Addresses: prefixes("10.1.0.1/30", "fd00:1::1/64", "10.1.0.5/30")},
		{Index: 7, Name: "bond0", Kind: "bond", Up: true, Carrier: true, SpeedMbps: 20000, Addresses: prefixes("10.0.2.1/31")},
		{Index: 8, Name: "eth3", Kind: "physical", Up: true, Carrier: true, SpeedMbps: 10000, Master: "bond0", MasterKind: "bond"},
		{Index: 9, Name: "eth4.100", Kind: "vlan", Up: true, Carrier: true, SpeedMbps: 10000, Alias: "sync\x1b[31m \x07hidden"},
		{Index: 10, Name: "eth0@if3", Kind: "veth", Up: true, Carrier: true},
	}
}

func savedSettings() conntrackd.Settings {
	return conntrackd.Settings{
		Enabled: true, Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.101/24"),
		Peer: netip.MustParsePrefix("10.0.0.102/24"), Port: 3780, SendBuffer: 262144, ReceiveBuffer: 262144,
	}
}

// newModel is a root at a size, in ASCII, that has seen the appliance.
func newModel(t *testing.T, w, h int, change ...func(*Options)) *Model {
	t.Helper()
	o := Options{Saved: conntrackd.Defaults(), Hostname: "fw-a", Glyphs: ASCIIGlyphs()}
	for _, c := range change {
		c(&o)
	}
	m := New(o)
	t.Cleanup(m.cancel)
	m.Update(tea.WindowSizeMsg{Width: w, Height: h})
	m.Update(interfacesListed{run: m.form.host.run, list: appliance()})
	return m
}

func withSaved(o *Options) { o.Saved = savedSettings() }
func withLeftover(o *Options) {
	o.Gate = "connection sync is for link load balancers (LLB); this appliance is WAF, says /etc/connsync/application"
	o.StillEnabled = true
}
func withUnicode(o *Options) { o.Glyphs = UnicodeGlyphs() }

func withNeighbours(addrs ...string) func(*Options) {
	var s seen
	for _, a := range addrs {
		s = append(s, netip.MustParseAddr(a))
	}
	return func(o *Options) { o.Effects.Neighbours = s }
}

// keyOf is the message of a key as people write it: "enter", "ctrl+c", "a".
func keyOf(name string) tea.KeyPressMsg {
	named := map[string]rune{
		"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown,
		"left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp,
		"pgdown": tea.KeyPgDown, "backspace": tea.KeyBackspace,
	}
	switch {
	case name == "shift+tab":
		return tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
	case name == "space":
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	case strings.HasPrefix(name, "ctrl+"):
		return tea.KeyPressMsg{Code: rune(name[5]), Mod: tea.ModCtrl}
	case named[name] != 0:
		return tea.KeyPressMsg{Code: named[name]}
	}
	r := []rune(name)
	if len(r) != 1 {
		panic("no such key: " + name)
	}
	return tea.KeyPressMsg{Code: r[0], Text: name}
}

// press presses keys and runs what they cause, as long as that is not a timer
// or an endless watch; it returns the last message that the program would get.
func press(t *testing.T, m *Model, keys ...string) tea.Msg {
	t.Helper()
	var last tea.Msg
	for _, k := range keys {
		_, cmd := m.Update(keyOf(k))
		last = perform(m, cmd)
	}
	return last
}

// perform runs a command and everything that it causes.
func perform(m *Model, cmd tea.Cmd) tea.Msg {
	if cmd == nil {
		return nil
	}
	msg := cmd()
	if batch, ok := msg.(tea.BatchMsg); ok {
		var last tea.Msg
		for _, c := range batch {
			if r := perform(m, c); r != nil {
				last = r
			}
		}
		return last
	}
	switch msg.(type) {
	case nil, tea.QuitMsg:
		return msg
	}
	_, next := m.Update(msg)
	if r := perform(m, next); r != nil {
		return r
	}
	return msg
}

// typeText types letter by letter.
func typeText(t *testing.T, m *Model, text string) {
	t.Helper()
	for _, r := range text {
		m.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

// shot is the screen as text, with the place of the cursor below it.
func shot(m *Model) string {
	v := m.View()
	s := ansi.Strip(v.Content) + "\n"
	if v.Cursor == nil {
		return s + "[no cursor]\n"
	}
	return s + fmt.Sprintf("[cursor %d,%d]\n", v.Cursor.X, v.Cursor.Y)
}

// line returns the first line of the screen that contains text.
func line(m *Model, text string) string {
	for l := range strings.Lines(shot(m)) {
		if strings.Contains(l, text) {
			return strings.TrimRight(l, "\n")
		}
	}
	return ""
}

func mustShow(t *testing.T, m *Model, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if line(m, text) == "" {
			t.Errorf("the screen does not show %q:\n%s", text, shot(m))
		}
	}
}

func mustNotShow(t *testing.T, m *Model, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if l := line(m, text); l != "" {
			t.Errorf("the screen shows %q:\n%s", text, shot(m))
		}
	}
}

func TestTooSmall(t *testing.T) {
	for _, size := range []tea.WindowSizeMsg{{Width: 39, Height: 12}, {Width: 40, Height: 11}, {Width: 0, Height: 0}, {Width: 1, Height: 1}} {
		m := newModel(t, size.Width, size.Height)
		if got := m.View().Content; !strings.HasPrefix(strings.ReplaceAll(got, "\n", ""), "T") {
			t.Errorf("%v: %q", size, got)
		}
	}
	m := newModel(t, 39, 12)
	if got := m.View().Content; got != "This screen is too small: connsync\nneeds 40 by 12. ctrl+c quits." {
		t.Errorf("%q", got)
	}
}

// Whatever is on the screen, it is exactly as high as the terminal and never
// wider, and so is the cursor's place.
func TestFrameFits(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{40, 12}, {41, 13}, {59, 14}, {60, 16}, {79, 17}, {80, 24}, {132, 43}, {300, 100}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel() // most of it is waiting
			for _, keys := range [][]string{
				nil, {"down", "enter"}, {"?"}, {"space", "ctrl+c"}, {"tab", "tab", "1", "tab"},
				{"space", "shift+tab", "shift+tab", "shift+tab", "shift+tab", "enter"}, {"down", "enter", "x", "y", "z"},
			} {
				m := newModel(t, size[0], size[1], withSaved)
				press(t, m, keys...)
				v := m.View()
				lines := strings.Split(v.Content, "\n")
				if len(lines) != size[1] {
					t.Errorf("%v: %d lines", keys, len(lines))
				}
				for _, l := range lines {
					if w := ansi.StringWidth(l); w > size[0] {
						t.Errorf("%v: a line is %d cells wide: %q", keys, w, l)
					}
				}
				if c := v.Cursor; c != nil && (c.X < 0 || c.X >= size[0] || c.Y < 0 || c.Y >= size[1]) {
					t.Errorf("%v: cursor at %d,%d", keys, c.X, c.Y)
				}
				if !v.AltScreen || !v.DisableBracketedPasteMode {
					t.Errorf("%v: the view asks for the wrong modes", keys)
				}
			}
		})
	}
}

func TestQuit(t *testing.T) {
	quits := func(msg tea.Msg) bool { _, ok := msg.(tea.QuitMsg); return ok }
	for _, tc := range []struct {
		name string
		keys []string
		quit bool
	}{
		{"clean, ctrl+c", []string{"ctrl+c"}, true},
		{"clean, q on the radio", []string{"q"}, true},
		{"q is a letter in a text field", []string{"tab", "q"}, false},
		{"the button", []string{"esc", "enter"}, true},
		{"esc alone never leaves", []string{"esc", "esc"}, false},
		{"changed, ctrl+c asks", []string{"space", "ctrl+c"}, false},
		{"changed, ctrl+c twice leaves", []string{"space", "ctrl+c", "ctrl+c"}, true},
		{"changed, enter is No", []string{"space", "ctrl+c", "enter"}, false},
		{"changed, esc is No", []string{"space", "ctrl+c", "esc"}, false},
		{"changed, n is No", []string{"space", "ctrl+c", "n"}, false},
		{"changed, y leaves", []string{"space", "ctrl+c", "y"}, true},
		{"changed, right right enter leaves", []string{"space", "ctrl+c", "right", "right", "enter"}, true},
		{"a No in between asks again", []string{"space", "ctrl+c", "n", "ctrl+c"}, false},
		{"another question in between asks", []string{"space", "ctrl+c", "n", "down", "ctrl+c"}, false},
		{"from the picker", []string{"down", "enter", "ctrl+c"}, true},
		{"from the help", []string{"?", "ctrl+c"}, true},
		{"undone, it is clean", []string{"space", "ctrl+r", "ctrl+c"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newModel(t, 80, 24)
			if got := quits(press(t, m, tc.keys...)); got != tc.quit {
				t.Errorf("quit is %v\n%s", got, shot(m))
			}
			if ended := m.env.ctx.Err() != nil; ended != tc.quit {
				t.Errorf("the context has ended: %v", ended)
			}
		})
	}
}

// A dialog that opens by itself leaves the keys that were typed ahead to the
// screen below, until it has been there for a moment.
func TestSuddenDialog(t *testing.T) {
	m := newModel(t, 80, 24)
	press(t, m, "down")
	cmd := m.ask(&dialog{text: []string{"Really?"}, sudden: true, answers: []answer{{label: "Yes", key: "y", msg: quitConfirmed{}}}})
	if cmd == nil {
		t.Fatal("no timer was started")
	}
	typeText(t, m, "my")
	if got := m.form.draft.Value(conntrackd.FieldInterface); got != "my" {
		t.Errorf("typed ahead: the field holds %q", got)
	}
	m.Update(dialogWoke{run: m.runs - 1}) // of another dialog
	typeText(t, m, "y")
	if m.dialog == nil {
		t.Fatal("the dialog obeyed a key typed ahead")
	}
	m.Update(dialogWoke{run: m.runs})
	if _, ok := press(t, m, "y").(tea.QuitMsg); !ok {
		t.Error("the dialog does not answer after its grace period")
	}
}

func TestRedraw(t *testing.T) {
	m := newModel(t, 80, 24)
	_, cmd := m.Update(keyOf("ctrl+l"))
	if cmd == nil || fmt.Sprintf("%T", cmd()) != fmt.Sprintf("%T", tea.ClearScreen()) {
		t.Error("ctrl+l does not redraw")
	}
}

// No key that a serial line, minicom, screen, telnet or virsh takes for itself
// is bound anywhere.
func TestNoTakenKeys(t *testing.T) {
	for _, keys := range [][]string{{}, {"down"}, {"down", "down"}, {"esc"}} {
		m := newModel(t, 80, 24, withSaved)
		press(t, m, keys...)
		before := shot(m)
		for _, k := range []string{"ctrl+s", "ctrl+q", "ctrl+a", "ctrl+]", "ctrl+z"} {
			press(t, m, k)
			if shot(m) != before {
				t.Errorf("after %v, %s does something", keys, k)
			}
		}
	}
}

func TestInterfacesLost(t *testing.T) {
	w := &watched{lists: make(chan []netcheck.Interface, 1)}
	m := New(Options{Glyphs: ASCIIGlyphs(), Saved: savedSettings(), Effects: Effects{Interfaces: w}})
	w.lists <- appliance()
	close(w.lists)
	perform(m, m.Init())
	if !m.form.host.known || !m.form.host.lost {
		t.Fatalf("known %v, lost %v", m.form.host.known, m.form.host.lost)
	}
	mustShow(t, m, "up, 10 Gb/s, no default route")
	w.lists = make(chan []netcheck.Interface, 1)
	w.lists <- appliance()[:3]
	close(w.lists)
	press(t, m, "down", "enter")
	mustShow(t, m, "3 interfaces, not live")

	w.err = errors.New("netlink: \x1b[2Jno buffer space")
	m = New(Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Interfaces: w}})
	perform(m, m.Init())
	mustShow(t, m, "! the interfaces of this host cannot be read: netlink: no buffer space")
	if strings.Contains(m.View().Content, "\x1b[2J") {
		t.Error("the error reaches the screen as it is")
	}
}

// Esc is slow and ambiguous on a serial line: every screen can be left by other
// keys too.
func TestEscIsNeverTheOnlyWay(t *testing.T) {
	effects := Effects{Planner: &fakePlanner{}, Reviewer: fakeReviewer{review: changedReview()}, Observer: &fakeObserver{block: true}, History: historyEffects().History}
	for _, tt := range []struct {
		name        string
		open, leave []string
	}{
		{"picker", []string{"tab", "enter"}, []string{"ctrl+g"}},
		{"help", []string{"?"}, []string{"enter"}},
		{"question", []string{"space", "ctrl+c"}, []string{"enter"}},
		{"checks", []string{"shift+tab", "shift+tab", "shift+tab", "enter"}, []string{"q"}},
		{"status", []string{"shift+tab", "shift+tab", "enter"}, []string{"q"}},
		{"history", []string{"shift+tab", "h"}, []string{"q"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			drive(t, Options{Effects: effects, Glyphs: ASCIIGlyphs()}, 80, 24, func(d *driver) {
				d.press(tt.open...)
				if d.top() == screen(d.m.form) && d.m.dialog == nil {
					t.Fatalf("%v opens nothing:\n%s", tt.open, d.content())
				}
				d.press(tt.leave...)
				if d.top() != screen(d.m.form) || d.m.dialog != nil {
					t.Errorf("%v does not lead back to the form:\n%s", tt.leave, d.content())
				}
			})
		})
	}
	t.Run("review", func(t *testing.T) {
		drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
			toReview(false)(d)
			d.press("q")
			if _, still := d.top().(*review); still {
				t.Errorf("q does not lead back:\n%s", d.content())
			}
		})
	})
}
