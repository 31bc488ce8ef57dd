package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// TestSetupPages compares whole screens of the setup with files; -update writes
// those.
func TestSetupPages(t *testing.T) {
	other := savedSettings()
	other.Current, other.Peer = other.Peer, other.Current
	for _, p := range []struct {
		name   string
		change func(*Options)
		do     func(d *driver)
	}{
		{name: "application", change: func(o *Options) { o.Setup.Patience = 5 * time.Minute }},
		{name: "application-not-written", do: func(d *driver) { d.press("down", "enter", "y") }},
		{name: "application-confirmed", do: func(d *driver) { d.press("down", "enter") }},
		{name: "line", do: func(d *driver) { d.press("enter"); d.types(text.PeerCommand(conntrackd.NewSettingTable(), other)) }},
		{name: "line-not-whole", do: func(d *driver) {
			d.press("up", "enter")
			d.types("connsync apply --enable --interface eth1\n")
			d.wait(time.Second)
		}},
		{name: "enable", do: func(d *driver) { d.press("up", "enter", "enter"); d.wait(time.Second) }},
		{name: "peer-wrong", do: func(d *driver) {
			d.press("up", "enter", "enter")
			d.wait(time.Second)
			d.press("enter")
			d.types("eth1")
			d.press("enter", "enter")
			d.types("10.0.9.102/24\n")
		}},
		{name: "last", do: func(d *driver) {
			d.press("up", "enter")
			d.types(text.PeerCommand(conntrackd.NewSettingTable(), other) + "\n")
			d.wait(time.Second)
		}},
		{name: "help", do: func(d *driver) { d.press("?") }},
		{name: "leave", do: func(d *driver) { d.press("ctrl+c") }},
		{name: "leave-with-application", do: func(d *driver) { d.press("enter", "ctrl+c") }},
		{name: "set", change: func(o *Options) { o.Saved = savedSettings(); o.Setup = &Setup{} }},
	} {
		for _, size := range goldenSizes {
			t.Run(p.name+"/"+size.name, func(t *testing.T) {
				a := &fakeAppliance{}
				if p.name == "application-not-written" {
					a.err = errNoEffect
				}
				var got string
				setUp(t, a, p.change, size.width, size.height, func(d *driver) {
					if p.do != nil {
						p.do(d)
					}
					got = d.content()
				})
				if lines := strings.Count(got, "\n") + 1; lines != size.height {
					t.Errorf("%d lines on a screen of %d", lines, size.height)
				}
				golden.RequireEqual(t, got+"\n")
			})
		}
	}
}

// A typed character and an idle screen cost no more than on the form: only what
// changed is drawn.
func TestSetupDrawsOnlyWhatChanged(t *testing.T) {
	setUp(t, &fakeAppliance{}, func(o *Options) { o.Setup.AsksApplication = false; o.Setup.Patience = time.Hour }, 80, 24, func(d *driver) {
		before := d.content()
		d.wait(time.Minute)
		if got := d.content(); got != before {
			t.Errorf("an idle screen changed:\n%s\nwas\n%s", got, before)
		}
		d.types("c")
		old, now := strings.Split(before, "\n"), strings.Split(d.content(), "\n")
		changed := 0
		for i := range now {
			if now[i] != old[i] {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("a typed character changed %d lines:\n%s", changed, d.content())
		}
	})
}
