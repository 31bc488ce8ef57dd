package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
)

// fakeApplier plays a list of steps.
type fakeApplier struct {
	steps   []step.Step
	pace    time.Duration // between two steps
	outcome apply.Outcome
	hold    bool // after the steps, wait until stopped
	stopped bool
}

func (f *fakeApplier) Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome {
	out := f.outcome
	for _, s := range f.steps {
		running := s
		running.Status, running.Detail, running.Took = step.Running, "", 0
		each(running)
		if s.Status == step.Running {
			break
		}
		time.Sleep(f.pace)
		each(s)
		out.Steps = append(out.Steps, s)
	}
	if f.hold {
		out.Err = untilDone(ctx)
		f.stopped = true
	}
	return out
}

func stepAs(id step.ID, title string, status step.Status, detail string, took time.Duration) step.Step {
	return step.Step{ID: id, Title: title, Status: status, Detail: detail, Took: took}
}

const done, failed = step.Done, step.Failed

func beginning() []step.Step {
	return []step.Step{
		stepAs(step.Lock, "Take the writer lock", done, "", time.Millisecond),
		stepAs(apply.StepBackup, "Keep the old file", done, "/var/lib/connsync/2026-11-23T22:50:01.conf", 2*time.Millisecond),
		stepAs(apply.StepWrite, "Write /etc/conntrackd/conntrackd.conf", done, "731 bytes", 3*time.Millisecond),
		stepAs(apply.StepEnable, "Start at boot", done, "conntrackd.service", 210*time.Millisecond),
	}
}

func savedSteps() []step.Step {
	return append(beginning(),
		stepAs(apply.StepRestart, "Restart conntrackd.service", done, "PID 4711", 320*time.Millisecond),
		stepAs(apply.StepBound, "Listening on 10.0.0.101:3780", done, "buffers 131072 and 131072", 4*time.Millisecond),
		stepAs(apply.StepHeard, "Heard the peer", done, "", 900*time.Millisecond),
		stepAs(apply.StepHeardBy, "Heard by the peer", done, "", 1100*time.Millisecond))
}

func silentSteps() []step.Step {
	s := savedSteps()[:6]
	return append(s,
		stepAs(apply.StepHeard, "Heard the peer", failed, "10.0.0.102 has sent nothing since conntrackd started", 5*time.Second),
		stepAs(apply.StepHeardBy, "Heard by the peer", step.Unknown, "10.0.0.102 has sent nothing since conntrackd started", 0))
}

func rolledBackSteps() []step.Step {
	return append(beginning(),
		stepAs(apply.StepRestart, "Restart conntrackd.service", failed, "restart conntrackd.service: failed (Result: exit-code)\n"+
			"[ERROR] can't open channel socket: Cannot assign requested address\n"+
			"[ERROR] initialization failed\nconntrackd cannot start, please review your configuration", 80*time.Millisecond),
		stepAs(apply.StepRollback, "Roll back", done, "the old file, conntrackd.service restarted", 350*time.Millisecond),
		stepAs(apply.StepVerify, "Verify the rollback", done, "listening on 10.0.0.7:3780, not started at boot", 5*time.Millisecond))
}

func rollbackFailedSteps() []step.Step {
	s := rolledBackSteps()
	s[5] = stepAs(apply.StepRollback, "Roll back", failed, "write /etc/conntrackd/conntrackd.conf: no space left on device", 20*time.Millisecond)
	s[6] = stepAs(apply.StepVerify, "Verify the rollback", failed, "the file is not the old one; the old one is /var/lib/connsync/2026-11-23T22:50:01.conf", time.Millisecond)
	return s
}

// toApply starts an apply and lets time pass.
func toApply(t time.Duration, keys ...string) func(*driver) {
	return func(d *driver) {
		d.follow(applyWanted{settings: pairSettings(), review: changedReview(), path: savePath})
		d.wait(t)
		d.press(keys...)
	}
}

var errRestart = errors.New("restart conntrackd.service: failed (Result: exit-code)")

func TestApplyPages(t *testing.T) {
	with := func(f fakeApplier) Effects { return Effects{Applier: &f} }
	saved := apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}
	restarting := append(beginning(), stepAs(apply.StepRestart, "Restart conntrackd.service", step.Running, "", 0))
	pages := []page{
		{"starting", with(fakeApplier{hold: true, steps: beginning()[:2]}), toApply(time.Second)},
		{"running", with(fakeApplier{hold: true, steps: restarting}), toApply(time.Second)},
		{"waiting", with(fakeApplier{hold: true, steps: append(savedSteps()[:6], stepAs(apply.StepHeard, "Heard the peer", step.Running, "", 0))}), toApply(time.Second)},
		{"stopping", with(fakeApplier{pace: time.Minute, steps: savedSteps()}), toApply(4*time.Minute+time.Second, "ctrl+c")},
		{"done", with(fakeApplier{steps: savedSteps(), outcome: saved}), toApply(time.Second)},
		{"silent", with(fakeApplier{steps: silentSteps(), outcome: apply.Outcome{Changed: true, Verdict: health.VerdictSilent}}), toApply(time.Second)},
		{"rolledback", with(fakeApplier{steps: rolledBackSteps(), outcome: apply.Outcome{RolledBack: true, Err: errRestart}}), toApply(time.Second)},
		{"rollbackfailed", with(fakeApplier{steps: rollbackFailedSteps(), outcome: apply.Outcome{Changed: true, Err: errRestart}}), toApply(time.Second)},
		{"refused", with(fakeApplier{steps: []step.Step{stepAs(step.Lock, "Take the writer lock", failed, "connsync with PID 812 is saving", 0)},
			outcome: apply.Outcome{Err: errors.New("connsync with PID 812 is saving")}}), toApply(time.Second)},
		{"noeffect", Effects{}, toApply(time.Second)},
	}
	checkPages(t, pages, "done", "rolledback")
	checkWide(t, pages, "done", "silent")
}

func TestApplyDisabling(t *testing.T) {
	steps := append(beginning()[:1],
		stepAs(apply.StepDisable, "Do not start at boot", done, "", 0), stepAs(apply.StepStop, "Stop conntrackd.service", done, "", 0))
	f := &fakeApplier{steps: steps, outcome: apply.Outcome{Changed: true, Verdict: health.VerdictStopped}}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Applier: f}}, 80, 24, func(d *driver) {
		off := pairSettings()
		off.Enabled = false
		d.follow(applyWanted{settings: off, review: changedReview()})
		d.wait(time.Second)
		d.wants("Saved, and in force.", "sync disabled")
		d.lacks("At the other node", "Stopped:")
	})
}

func TestApplyTellsTheOthers(t *testing.T) {
	tests := []struct {
		name    string
		outcome apply.Outcome
		state   string
		told    bool
	}{
		{"saved", apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}, "in sync both ways", true},
		{"unchanged", apply.Outcome{Verdict: health.VerdictSilent}, "no word from the peer", true},
		{"rolled back", apply.Outcome{RolledBack: true, Err: errRestart}, "sync enabled", false},
		{"failed before", apply.Outcome{Err: errRestart}, "sync enabled", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Applier: &fakeApplier{steps: savedSteps(), outcome: tt.outcome}}}
			o.Saved = pairSettings()
			o.Saved.Port = 1
			drive(t, o, 80, 24, func(d *driver) {
				toApply(time.Second)(d)
				d.wants(tt.state)
				saved, _ := d.m.form.draft.Saved().Settings()
				if got := saved.Port == pairSettings().Port; got != tt.told {
					t.Errorf("the form holds port %d as saved", saved.Port)
				}
			})
		})
	}
}

func TestApplyInterrupted(t *testing.T) {
	tests := []struct {
		name  string
		steps []step.Step
		says  string
	}{
		{"before the write", beginning()[:2], "Stopping. Nothing has been written."},
		{"after the write", beginning(), "Stopping. The change is completed or rolled back first."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeApplier{steps: tt.steps, hold: true}
			drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Applier: f}}, 80, 24, func(d *driver) {
				toApply(time.Second, "esc", "enter", "s")(d)
				d.wantScreen(&saving{})
				d.wants("ctrl+c stop")
				d.send(keyPress("ctrl+c"))
				d.wants(tt.says)
				d.settle()
				d.wantScreen(&saving{}) // the program has not been left
				if !f.stopped || !d.top().(*saving).ended {
					t.Error("the work was not stopped")
				}
				d.wants("ctrl+c quit")
			})
		})
	}
}

func TestApplyIgnoresTypedAhead(t *testing.T) {
	f := &fakeApplier{steps: savedSteps(), outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Applier: f, Observer: &fakeObserver{}}}, 80, 24, func(d *driver) {
		toApply(0)(d)
		d.wants("Saved, and in force. In sync both ways.")
		d.press("enter", "esc", "s", "tab")
		d.wantScreen(&saving{})
		d.wait(dialogGrace)
		d.press("enter")
		d.wantScreen(&status{})
		d.press("esc")
		d.wantScreen(&form{})
	})
}

func TestApplyUpdatesOneLine(t *testing.T) {
	f := &fakeApplier{steps: savedSteps(), pace: time.Second}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Applier: f}}, 80, 24, func(d *driver) {
		toApply(4500 * time.Millisecond)(d)
		before := d.content()
		d.wait(time.Second)
		if n := changedLines(before, d.content()); n != 2 { // one ends, the next begins
			t.Errorf("%d lines changed\n%s\n%s", n, before, d.content())
		}
	})
}

func TestApplyHostileText(t *testing.T) {
	t.Parallel()
	steps := rolledBackSteps()
	steps[4].Detail = hostile + "\n" + hostile
	steps[5].Title = hostile
	f := fakeApplier{steps: steps, outcome: apply.Outcome{RolledBack: true, Err: errors.New(hostile)}}
	checkHostile(t, Effects{Applier: &f}, toApply(time.Second))
	s := pairSettings()
	s.Interface = "start\x1b[2J\x00'; reboot; '"
	for _, size := range goldenSizes {
		m := newModel(t, size.width, size.height)
		shown := strings.Join(peerLines(m.env, s, size.width), "\n")
		checkClean(t, shown, true, size.width)
		if !strings.Contains(shown, "start") || strings.Contains(shown, "--interface start;") {
			t.Errorf("the line for the peer: %s", shown)
		}
	}
	// The other node would refuse that name: nobody is told to type it.
	drive(t, Options{Effects: Effects{Applier: &fakeApplier{outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}}}}, 80, 24, func(d *driver) {
		d.follow(applyWanted{settings: s, review: changedReview()})
		d.wait(time.Second)
		d.wants("Saved, and in force.")
		d.lacks("reboot")
	})
}
