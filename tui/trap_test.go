package tui

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/netcheck/check"
)

// wayOfASave is a host on which everything from the form to the end of a save works.
func wayOfASave(change func(*Options, *fakePlanner, *fakeReviewer, *fakeApplier)) Options {
	planner, reviewer := &fakePlanner{}, &fakeReviewer{review: changedReview()}
	applier := &fakeApplier{steps: savedSteps(), outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay, Entry: 12}}
	o := Options{Glyphs: ASCIIGlyphs(), Hostname: "fw-a", Saved: pairSettings()}
	o.Effects.Interfaces = watchedList{}
	if change != nil {
		change(&o, planner, reviewer, applier)
	}
	o.Effects.Planner, o.Effects.Reviewer, o.Effects.Applier = planner, *reviewer, applier
	return o
}

// hold presses enter as a key that is held down: thirty times a second.
func (d *driver) hold(span time.Duration) {
	for ; span > 0; span -= 33 * time.Millisecond {
		d.press("enter")
		time.Sleep(33 * time.Millisecond)
		d.settle()
	}
}

// Enter held down from Save Changes on never saves, and the screen says why.
func TestStoryEnterHeldDownNeverSaves(t *testing.T) {
	applier := &fakeApplier{hold: true}
	o := wayOfASave(nil)
	o.Effects.Applier = applier
	drive(t, o, 80, 24, func(d *driver) {
		d.do(d.m.form.moveTo(len(d.m.form.fields) + saveButton))
		d.hold(20 * time.Second)
		d.wantScreen(&preflight{})
		d.wants("Key ignored")
		d.wait(dialogGrace)
		d.lacks("Key ignored")
		d.hold(20 * time.Second) // one press too early for the review
		d.wantScreen(&review{})
		d.wants("Key ignored")
		d.wait(dialogGrace)
		d.press("enter")
		d.wantScreen(&saving{})
	})
}

// Turning sync off is said in a sentence, and Enter alone goes back.
func TestStoryTurnedOff(t *testing.T) {
	on := apply.Standing{Settings: pairSettings()}
	on.Running.Active, on.Running.Enabled = true, true
	r := changedReview()
	r.Before = &on
	drive(t, wayOfASave(func(_ *Options, _ *fakePlanner, reviewer *fakeReviewer, _ *fakeApplier) { reviewer.review = r }), 80, 24, func(d *driver) {
		d.press("space") // Disable
		d.pressSave()
		d.wait(time.Second)
		d.wants("Sync will be turned OFF. Connections will not survive a failover.", "> [ Back ]")
		d.press("enter")
		d.wantScreen(&form{})
		d.pressSave()
		d.wait(time.Second)
		d.press("shift+tab", "enter")
		d.wantScreen(&saving{})
	})
}

// Warnings of the checks go with the review, and are not applied by habit.
func TestStoryWarningsAreNotAppliedByHabit(t *testing.T) {
	drive(t, wayOfASave(func(_ *Options, p *fakePlanner, _ *fakeReviewer, _ *fakeApplier) { p.findings = warned }), 80, 24, func(d *driver) {
		d.pressSave()
		d.wait(time.Second)
		d.press("enter")
		d.wait(time.Second)
		d.wants("[2 review]", "! warning Interface is dedicated to sync: eth1 carries the default route", "! unknown ", "> [ Back ]")
	})
}

// Swapped addresses, and an address that is not this node's, are mended from the
// checks; the form has them too.
func TestStoryAddressesAreMended(t *testing.T) {
	wrong := map[check.ID]check.Finding{"current-ip-assigned": {Status: check.Failed, Detail: "10.0.0.7 is on no interface"}}
	for current, want := range map[string][2]string{
		"10.0.0.7/24":   {"Use Current IP 10.0.0.101/24, the address of eth1.", "10.0.0.101/24"},
		"10.0.0.102/24": {"Swap: Current IP 10.0.0.101/24, Peer IP 10.0.0.102/24.", "10.0.0.101/24"},
	} {
		o := wayOfASave(nil)
		s := pairSettings()
		s.Current = prefixes(current)[0]
		if current == "10.0.0.102/24" {
			s.Peer = prefixes("10.0.0.101/24")[0]
		}
		o.Saved = s
		planner := &fakePlanner{findings: wrong}
		o.Effects.Planner = planner
		drive(t, o, 80, 24, func(d *driver) {
			d.m.Update(interfacesListed{run: d.m.form.host.run, list: appliance()})
			d.pressSave()
			d.wait(time.Second)
			d.wants(want[0])
			planner.findings = nil
			d.press("i")
			d.wait(time.Second)
			d.wants("All 19 checks passed.", "10.0.0.101/24 -> 10.0.0.102/24")
			d.press("esc")
			d.wants("Current IP * " + want[1])
		})
	}
}

// What the save does on the host is said beside the check, and can be left out.
func TestStoryHostIsMendedWithTheSave(t *testing.T) {
	o := wayOfASave(func(_ *Options, p *fakePlanner, r *fakeReviewer, _ *fakeApplier) {
		p.findings = map[check.ID]check.Finding{
			"firewall":  {Status: check.Failed, Detail: "input drops UDP 3780", Mend: check.MendFirewall},
			"dedicated": {Status: check.Failed, Detail: "events are off", Mend: check.MendHost},
		}
		r.review = preparingReview()
	})
	var wished []bool
	reviewer := o.Effects.Reviewer.(fakeReviewer)
	reviewer.wished = &wished
	o.Effects.Reviewer = reviewer
	drive(t, o, 80, 24, func(d *driver) {
		d.pressSave()
		d.wait(time.Second)
		d.wants("[x] i The save fixes this on the host.")
		d.press("n")
		d.wants("[ ] i Add connsync's firewall rules with the save.")
		d.press("i")
		d.wants("[x] i Add connsync's firewall rules with the save.")
		d.press("n", "i")
		d.wants("[ ] i The save fixes this on the host.")
		d.press("enter")
		d.wait(time.Second)
		d.wants("[ ] h Prepare the host")
		if fmt.Sprint(wished) != "[true]" {
			t.Errorf("the firewall was asked for: %v", wished)
		}
	})
}

// A save after which the sync is worse offers the way back first.
func TestStoryRollBackFirst(t *testing.T) {
	o := wayOfASave(func(_ *Options, _ *fakePlanner, _ *fakeReviewer, a *fakeApplier) {
		a.steps, a.outcome.Verdict = silentSteps(), health.VerdictSilent
	})
	var asked []int
	o.Effects.History = fakeHistory{undo: changedReview(), asked: &asked}
	o.Saved.Enabled = true
	o.Effects.Observer = &fakeObserver{at: func(after time.Duration) (health.Health, error) {
		if after < 3*time.Second {
			return health.Health{Verdict: health.VerdictTwoWay}, nil
		}
		return health.Health{Verdict: health.VerdictSilent}, nil
	}}
	drive(t, o, 80, 24, func(d *driver) {
		d.do(d.m.Init())
		d.wait(time.Second)
		d.saveBy("enter", "enter")
		d.wait(time.Second)
		d.wants("NOT in sync", "It was better before the save: in sync both ways.", "> [ Roll Back ]")
		d.press("enter")
		d.wait(time.Second)
		d.wantScreen(&review{})
		if fmt.Sprint(asked) != "[12]" {
			t.Errorf("asked to roll back %v", asked)
		}
	})
}

// comingPeer is silent for so many looks, and then in sync.
type comingPeer struct{ silent int }

func (c *comingPeer) Observe(context.Context) (health.Health, error) {
	if c.silent--; c.silent >= 0 {
		return health.Health{Verdict: health.VerdictSilent}, nil
	}
	return health.Health{Verdict: health.VerdictTwoWay}, nil
}

// The first node of a pair is step 1 of 2: the screen counts, and changes by itself
// when the peer comes.
func TestStoryFirstNodeWaits(t *testing.T) {
	o := wayOfASave(func(o *Options, p *fakePlanner, _ *fakeReviewer, a *fakeApplier) {
		p.findings = noPeer
		a.steps, a.outcome.Verdict = silentSteps(), health.VerdictSilent
		o.Saved.Enabled = true
	})
	o.Effects.Observer = &comingPeer{silent: 70}
	drive(t, o, 80, 24, func(d *driver) {
		d.saveBy("f", "enter", "enter")
		d.wait(12 * time.Second)
		d.wants("Step 1 of 2 done. Waiting for 10.0.0.102 (0:", "--current-ip 10.0.0.102/24", "907d-adee")
		d.wait(90 * time.Second)
		d.wants("Step 2 of 2 done: in sync both ways with 10.0.0.102.", "in sync both ways")
		d.lacks("Waiting for")
	})
}

// A peer that comes after a save has given it up is seen: the screen does not stay with
// what it found first.
func TestStoryLatePeer(t *testing.T) {
	o := wayOfASave(func(o *Options, _ *fakePlanner, _ *fakeReviewer, a *fakeApplier) {
		a.steps, a.outcome.Verdict = silentSteps(), health.VerdictSilent
		o.Saved.Enabled = true
	})
	o.Effects.Observer = &comingPeer{silent: 70}
	drive(t, o, 80, 24, func(d *driver) {
		d.saveBy("enter", "enter")
		d.wait(12 * time.Second)
		d.wants("NOT in sync", "No word from the peer.")
		d.wait(90 * time.Second)
		d.wants("Saved, and in force. In sync both ways.")
		d.lacks("NOT in sync")
	})
}

// The button with the focus keeps it while the way back goes: the peer comes.
func TestStoryLatePeerKeepsTheFocus(t *testing.T) {
	o := wayOfASave(func(o *Options, _ *fakePlanner, _ *fakeReviewer, a *fakeApplier) {
		a.steps, a.outcome.Verdict = silentSteps(), health.VerdictSilent
		a.outcome.Entry = 12
		o.Saved.Enabled = true
	})
	var asked []int
	o.Effects.History = fakeHistory{undo: changedReview(), asked: &asked}
	o.Effects.Observer = &fakeObserver{at: func(after time.Duration) (health.Health, error) {
		switch {
		case after >= 3*time.Second && after < 20*time.Second:
			return health.Health{Verdict: health.VerdictSilent}, nil
		case after >= 20*time.Second && after < 25*time.Second:
			return health.Health{}, errors.New("timeout")
		}
		return health.Health{Verdict: health.VerdictTwoWay}, nil
	}}
	drive(t, o, 80, 24, func(d *driver) {
		d.do(d.m.Init())
		d.wait(time.Second)
		d.saveBy("enter", "enter")
		d.wait(5 * time.Second)
		d.press("tab")
		d.press("tab")
		d.wants("> [ Form ]", "[ Roll Back ]")
		d.wait(15 * time.Second)
		d.wants("NOT in sync", "> [ Form ]")
		d.wait(30 * time.Second)
		d.wants("Saved, and in force.", "> [ Form ]")
		d.press("enter")
		d.wait(time.Second)
		d.wantScreen(&form{})
	})
}
