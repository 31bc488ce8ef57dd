package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/step"
	"connsync/tui/text"
)

// fakeHistory is a history of a few saves.
type fakeHistory struct {
	entries []apply.Entry
	diff    string
	undo    apply.Review
	err     error
	block   bool
	asked   *[]int // the numbers that were asked to be rolled back
}

func (f fakeHistory) Entries(ctx context.Context) ([]apply.Entry, error) {
	if f.block {
		return nil, untilDone(ctx)
	}
	return f.entries, f.err
}

func (f fakeHistory) Change(ctx context.Context, e apply.Entry) (apply.Change, error) {
	if f.block {
		return apply.Change{}, untilDone(ctx)
	}
	was, now := pairSettings(), pairSettings()
	now.Port = 3790
	return apply.Change{Diff: f.diff, Before: apply.Standing{Settings: was, Running: e.Was}, After: apply.Standing{Settings: now, Running: e.Asked}}, f.err
}

func (f fakeHistory) Undo(_ context.Context, e apply.Entry) (apply.Review, error) {
	if f.asked != nil {
		*f.asked = append(*f.asked, e.Number)
	}
	return f.undo, f.err
}

// saves are a first save, an ordinary one, one that failed, one that was
// killed, and one that took another back.
func saves() []apply.Entry {
	day := time.Date(2026, 11, 23, 22, 50, 0, 0, time.Local)
	on, off := conntrackd.Running{Active: true, Enabled: true}, conntrackd.Running{}
	entry := func(n int, outcome apply.EntryOutcome, was, asked conntrackd.Running) apply.Entry {
		return apply.Entry{
			Number: n, Time: day.Add(time.Duration(n) * time.Hour), Path: "/etc/conntrackd/conntrackd.conf", Outcome: outcome,
			By: apply.Actor{User: "alice", Terminal: "/dev/ttyS0"}, Before: fmt.Sprint(n - 1), After: fmt.Sprint(n),
			Service: "conntrackd.service", Was: was, Asked: asked, Verdict: health.VerdictUnknown,
		}
	}
	first := entry(7, apply.EntrySaved, off, on)
	first.Before, first.Verdict, first.By = "none", health.VerdictTwoWay, apply.Actor{User: "root"}
	failed := entry(9, apply.EntryRolledBack, on, on)
	failed.Detail = "restart conntrackd.service: the daemon did not start: failed (Result: exit-code, status=1); conntrackd says: can't open channel socket: Cannot assign requested address"
	killed := entry(10, apply.EntryInterrupted, on, on)
	killed.Repair = apply.RecoveryRolledBack
	back := entry(11, apply.EntrySaved, on, off)
	back.Undoes = 8
	return []apply.Entry{back, killed, failed, entry(8, apply.EntrySaved, on, on), first}
}

func historyEffects() Effects {
	undo := changedReview()
	undo.Candidate.Undoes = 11
	return Effects{History: fakeHistory{entries: saves(), diff: changedReview().Diff(), undo: undo}, Applier: &fakeApplier{hold: true}}
}

func toHistory(keys ...string) func(*driver) {
	return func(d *driver) {
		d.press("esc") // to the buttons
		d.press("h")
		d.press(keys...)
	}
}

func TestHistoryPages(t *testing.T) {
	many := saves()
	for n := 6; n > 0; n-- {
		for range 3 {
			e := many[3]
			e.Number = n
			many = append(many, e)
		}
	}
	damaged := apply.Entry{Number: 3, Outcome: apply.EntryUnreadable, Detail: "/var/lib/connsync/history/000003.json: unexpected end of JSON input"}
	checkPages(t, []page{
		{"list", historyEffects(), toHistory()},
		{"failed", historyEffects(), toHistory("down", "down")},
		{"many", Effects{History: fakeHistory{entries: many}}, toHistory("pgdown", "down")},
		{"damaged", Effects{History: fakeHistory{entries: []apply.Entry{damaged}}}, toHistory()},
		{"none", Effects{History: fakeHistory{}}, toHistory()},
		{"looking", Effects{History: fakeHistory{block: true}}, toHistory()},
		{"error", Effects{History: fakeHistory{err: errors.New("read the history: permission denied")}}, toHistory()},
		{"noeffect", Effects{}, toHistory()},
		{"entry", historyEffects(), toHistory("enter")},
		{"entry-scrolled", historyEffects(), toHistory("enter", "tab", "space")},
		{"entry-same", Effects{History: fakeHistory{entries: saves()}}, toHistory("enter")},
		{"undo", historyEffects(), func(d *driver) {
			toHistory("enter", "tab", "enter")(d)
			d.wait(time.Second)
		}},
	}, "list", "entry")
}

func TestHistoryToApply(t *testing.T) {
	var asked []int
	effects := historyEffects()
	h := effects.History.(fakeHistory)
	h.asked = &asked
	effects.History = h
	drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
		toHistory("down", "enter")(d)
		d.wantScreen(&entryView{})
		d.press("enter") // the focus is on Back
		d.wantScreen(&history{})
		d.press("enter", "tab", "enter")
		d.wait(time.Second)
		d.wantScreen(&review{})
		d.wants("Rolls back save 11.")
		if len(asked) != 1 || asked[0] != 10 {
			t.Errorf("asked to roll back %v, want save 10", asked)
		}
		d.wants("Sync will be turned OFF. Connections will not survive a failover.")
		d.press("shift+tab", "enter") // it starts on Back, since it is a warning
		d.wantScreen(&saving{})
	})
}

// What a rollback has restored is what the form shows; what was typed stays.
func TestFormAfterARollback(t *testing.T) {
	restored := pairSettings()
	restored.Port, restored.SendBuffer, restored.ReceiveBuffer = 3999, 131072, 131072
	undo := changedReview()
	undo.Candidate.Settings = restored
	effects := Effects{
		History: fakeHistory{entries: saves(), undo: undo},
		Applier: &fakeApplier{outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}},
	}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: effects}, 80, 24, func(d *driver) {
		d.press("tab", "tab", "tab", "ctrl+u")
		for _, r := range "10.0.0.9/24" {
			d.press(string(r))
		}
		toHistory("enter", "tab", "enter")(d)
		d.wait(time.Second)
		d.press("enter")
		d.wait(time.Second)
		d.press("esc")
		d.wantScreen(&form{})
		d.wants("Port 3999", "Send Buffer Size 131072", "* 10.0.0.9/24")
		d.lacks("* 3999", "* 131072")
	})
}

func TestHistoryHostileText(t *testing.T) {
	t.Parallel()
	e := saves()[0]
	e.By = apply.Actor{User: "start" + hostile, Terminal: hostile}
	e.Detail, e.Outcome, e.Repair = hostile, apply.EntryOutcome(hostile), apply.RecoveryResult(hostile)
	effects := Effects{History: fakeHistory{entries: []apply.Entry{e}, diff: hostile + "\n" + hostile}}
	checkHostile(t, effects, toHistory())
	checkHostile(t, effects, toHistory("enter"))
	checkHostile(t, Effects{History: fakeHistory{err: errors.New(hostile)}}, toHistory())
}

// A change that someone else made since the form read the file is shown, and
// goes into the form when the operator wants it.
func TestReviewOfAForeignChange(t *testing.T) {
	theirs := pairSettings()
	theirs.Port = 3999
	old, now := []byte("Port 3780\n"), []byte("Port 3999\n")
	effects := func(err error) Effects {
		return Effects{Reviewer: fakeReviewer{
			err: &hostfile.ChangedError{Path: "/etc/conntrackd/conntrackd.conf", Read: old, Now: now}, saved: theirs, rereadErr: err,
		}}
	}
	checkPages(t, []page{{"foreign", effects(nil), toReview(false)}})
	drive(t, Options{Effects: effects(nil)}, 80, 24, func(d *driver) {
		toReview(false)(d)
		d.wants("Someone else has changed", "-Port 3780", "+Port 3999")
		d.press("shift+tab", "enter")
		d.wantScreen(&form{})
		d.wants("Port 3999")
	})
	drive(t, Options{Effects: effects(errors.New("it is broken now"))}, 80, 24, func(d *driver) {
		toReview(false, "shift+tab", "enter")(d)
		d.wantScreen(&review{})
		d.wants("it is broken now")
	})
}

// The same at the last moment, when the transaction finds it.
func TestApplyOfAForeignChange(t *testing.T) {
	changed := &hostfile.ChangedError{Path: "/etc/conntrackd/conntrackd.conf", Read: []byte("Port 3780\n"), Now: []byte("Port 3999\n")}
	effects := Effects{Applier: &fakeApplier{
		steps:   []step.Step{stepAs(step.Lock, "Take the writer lock", failed, changed.Error(), 0)},
		outcome: apply.Outcome{Err: changed},
	}}
	checkPages(t, []page{{"foreign", effects, func(d *driver) {
		d.follow(applyWanted{settings: pairSettings(), review: changedReview(), path: savePath})
		d.wait(time.Second)
	}}})
}

func TestNotice(t *testing.T) {
	o := Options{Glyphs: ASCIIGlyphs(), Notice: text.RecoverySentence(apply.Recovery{Result: apply.RecoveryRolledBack, Entry: saves()[1]}, "")}
	drive(t, o, 80, 24, func(d *driver) {
		d.do(d.m.Init())
		d.settle()
		d.press("enter") // typed ahead
		d.wants("Save 10 (2026-11-24 08:50, alice on ttyS0) was interrupted; it was rolled back")
		d.wait(time.Second)
		d.press("enter")
		d.lacks("interrupted")
	})
}

func TestRecoverySentences(t *testing.T) {
	e := saves()[1]
	for _, r := range []apply.RecoveryResult{apply.RecoveryUnchanged, apply.RecoveryRolledBack, apply.RecoveryInForce,
		apply.RecoveryForeign, apply.RecoveryOther, apply.RecoveryFailed} {
		for _, entry := range []apply.Entry{e, {}} {
			said := text.RecoverySentence(apply.Recovery{Result: r, Entry: entry, Err: errors.New(hostile)}, "")
			if said == "" || strings.Contains(said, "\n") || strings.Contains(said, "\x1b") || len(said) > 1024 {
				t.Errorf("%s: %q", r, said)
			}
		}
	}
	stays := text.RecoverySentence(apply.Recovery{Result: apply.RecoveryRolledBack, Entry: saves()[1], HostStays: true}, "")
	if !strings.HasSuffix(stays, " in force. Its changes to the host beside the file stay; connsync unprepare undoes them.") {
		t.Errorf("host changes that stay: %s", stays)
	}
	if said := text.RecoverySentence(apply.Recovery{}, ""); said != "" {
		t.Errorf("nothing was interrupted, and this is said: %q", said)
	}
}
