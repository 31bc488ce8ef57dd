package tui

import (
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// filledIn is a form on a host where sync was never on, with good settings and
// Enable Sync left as it was.
func filledIn(t *testing.T, change func(*Options), do func(d *driver)) {
	t.Helper()
	o := Options{Glyphs: ASCIIGlyphs(), Saved: conntrackd.Defaults(), Effects: lineEffects()}
	o.Effects.Interfaces = watchedList{}
	if change != nil {
		change(&o)
	}
	driveAsIs(t, o, 80, 24, func(d *driver) {
		for field, value := range map[conntrackd.Field]string{
			conntrackd.FieldInterface: "eth1", conntrackd.FieldCurrentIP: "10.0.0.101/24", conntrackd.FieldPeerIP: "10.0.0.102/24",
		} {
			d.m.form.draft.Set(field, value)
		}
		d.m.form.settle()
		do(d)
	})
}

// pressSave presses the button Save Changes.
func (d *driver) pressSave() {
	d.do(d.m.form.moveTo(len(d.m.form.fields) + saveButton))
	d.press("enter")
}

// saveBy is pressSave and then the keys, each a second later.
func (d *driver) saveBy(keys ...string) {
	d.pressSave()
	for _, k := range keys {
		d.wait(time.Second)
		d.press(k)
	}
}

// Settings that are filled in and left on Disable are asked about.
func TestSaveLeftOnDisable(t *testing.T) {
	for key, want := range map[string]struct {
		screen  screen
		enabled bool
	}{"e": {&preflight{}, true}, "s": {&review{}, false}, "b": {&form{}, false}, "esc": {&form{}, false}} {
		filledIn(t, nil, func(d *driver) {
			d.pressSave()
			d.wants("Sync stays OFF with these settings. Enable it?", "> [ Enable and save ]", "[ Save, stay off ]", "[ Back ]")
			d.press("enter", "enter") // held down: it answers nothing
			d.wantScreen(&form{})
			d.wait(dialogGrace)
			d.press(key)
			d.wantScreen(want.screen)
			if got := d.m.form.draft.Enabled(); got != want.enabled {
				t.Errorf("%s: enabled %v", key, got)
			}
		})
	}
	// It is no question where sync was on, or was just chosen to be off, or where too
	// little is filled in.
	filledIn(t, func(o *Options) { o.Saved = savedSettings() }, func(d *driver) {
		d.m.form.draft.Set(conntrackd.FieldEnabled, "disable")
		d.pressSave()
		d.lacks("Sync stays OFF")
	})
	filledIn(t, nil, func(d *driver) {
		d.m.form.draft.Set(conntrackd.FieldPeerIP, "")
		d.pressSave()
		d.lacks("Sync stays OFF")
	})
}

// As long as nobody knows whether sync is enabled neither answer is given, and a
// save needs one.
func TestUnknownStateSelectsNothing(t *testing.T) {
	unknown := func(o *Options) { o.StateUnknown = true }
	filledIn(t, unknown, func(d *driver) {
		d.wants("( ) Enable ( ) Disable", "sync not known")
		d.pressSave()
		d.wants("Not saved: whether sync is enabled now is unknown; choose Enable or Disable")
		d.press("left")
		d.wants("(*) Enable ( ) Disable")
		d.pressSave()
		d.wantScreen(&preflight{})
	})
	filledIn(t, unknown, func(d *driver) {
		d.do(d.m.form.moveTo(0))
		d.press("right")
		d.wants("( ) Enable (*) Disable")
		d.pressSave()
		d.wantScreen(&review{})
	})
}

// With a service that is left alone nobody knows whether sync is enabled, neither before
// a save nor after it, and a save needs no answer.
func TestUnmanagedStateSelectsNothing(t *testing.T) {
	const open = "( ) Enable ( ) Disable"
	unmanaged := func(o *Options) { o.Unmanaged, o.StateUnknown = true, true }
	filledIn(t, unmanaged, func(d *driver) {
		d.wants(open, "sync not known")
		d.do(d.m.form.moveTo(len(d.m.form.fields) + saveButton))
		d.wants("Save Changes: check, show the change, then write.")
		d.pressSave()
		d.wantScreen(&preflight{})
	})
	filledIn(t, unmanaged, func(d *driver) {
		d.do(d.m.form.moveTo(0))
		d.press("left")
		d.wants("(*) Enable ( ) Disable")
		saved, _ := d.m.form.draft.Settings()
		d.send(settingsSaved{settings: saved})
		d.wants(open, "sync not known")
		if n := d.m.form.lost(); n != 0 {
			t.Errorf("after a save %d changes would be lost", n)
		}
	})
}

// Who cannot save is told before anything is typed, and again in the place of a
// save.
func TestReadOnlyForm(t *testing.T) {
	const why = "connsync does not run as root and cannot write to /run: run sudo connsync"
	filledIn(t, func(o *Options) { o.ReadOnly = why }, func(d *driver) {
		d.do(d.m.Init())
		d.wants(why, "[ Go On ]")
		d.wait(2 * dialogGrace)
		d.press("enter")
		d.lacks(why)
		d.pressSave()
		d.wants(why, "[ Back ]")
		d.press("enter")
		d.wantScreen(&form{})
	})
}

// The picker starts on what looks most like a sync interface.
func TestPickerProposes(t *testing.T) {
	eth := func(name, kind string, addresses ...string) netcheck.Interface {
		return netcheck.Interface{Name: name, Kind: kind, Up: true, Carrier: true, Addresses: prefixes(addresses...)}
	}
	lan := eth("eth0", "physical", "192.0.2.1/24")
	lan.DefaultRoute = true
	down := eth("eth5", "physical", "10.0.5.1/24")
	down.Carrier = false
	for _, tc := range []struct {
		want string
		list []netcheck.Interface
	}{
		{"eth1", []netcheck.Interface{eth("br0", "bridge"), lan, eth("eth1", "physical", "10.0.0.101/24")}},
		{"eth1", []netcheck.Interface{lan, eth("eth1", "physical"), eth("virbr0", "bridge")}},
		{"eth2", []netcheck.Interface{eth("eth1", "physical"), eth("eth2", "physical", "10.0.0.101/24")}},
		{"bond1", []netcheck.Interface{eth("bond1", "bond", "10.0.0.1/30"), eth("docker0", "bridge", "172.17.0.1/16")}},
		{"veth1", []netcheck.Interface{lan, eth("veth1", "veth"), down}},
		{"", []netcheck.Interface{eth("eth1", "physical"), eth("eth2", "physical", "fe80::1/64")}},
	} {
		if _, p := openedPicker(t, tc.list); p.selected != tc.want {
			t.Errorf("%s was proposed, want %s", p.selected, tc.want)
		}
	}
}

// A setup that is left for later begins with what was answered.
func TestLaterKeepsTheAnswers(t *testing.T) {
	a := &fakeAppliance{}
	setUp(t, a, nil, 80, 24, func(d *driver) {
		d.press("up", "enter", "enter")
		d.wait(time.Second)
		d.press("enter", "enter")
		d.types("eth1")
		d.press("enter", "enter")
		d.types("10.0.0.102/24")
		d.press("enter", "ctrl+c", "l")
	})
	if a.answers[conntrackd.FieldPeerIP] != "10.0.0.102/24" || a.answers[conntrackd.FieldInterface] != "eth1" {
		t.Fatalf("left with %v", a.answers)
	}
	setUp(t, &fakeAppliance{}, func(o *Options) { o.Setup.AsksApplication, o.Setup.Answers = false, a.answers }, 80, 24, func(d *driver) {
		d.press("enter")
		d.wait(time.Second)
		d.press("enter", "enter", "enter")
		d.wants("Peer IP", "10.0.0.102/24")
		d.press("enter", "enter", "enter", "enter")
		d.wants("Review your answers", "10.0.0.102/24", "10.0.0.101/24")
	})
}
