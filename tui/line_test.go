package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
	"connsync/netcheck/check"
)

// TestLineDialogues compares whole dialogues with files; -update writes those.
func TestLineDialogues(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*LineOptions)
		lines  []string
		err    error
	}{
		{name: "whole-job", lines: append(append([]string{}, wholeJob...), "s", "m", "q")},
		{name: "help", change: saved, lines: []string{"?", "", "?", "<", "", "", "?", "", "?", "", "?", "", "128K", "?", "", "?", "", "?", "<", "?", "", "?"}, err: ErrUnfinished},
		{name: "errors", lines: []string{
			"maybe", "e", "", "3x", "99", "fe0", "3", "lo", "eth9", "eth", "2", "<", "4", "10.0.0.101/33", "10.0.0", "",
			"10.0.9.102/24", "10.0.0.101/24", "10.0.0.102/24", "0", "70000", "", "much", "-1", "", "", "", "n", "q", "n", "q", "y"}},
		{name: "back", change: saved, lines: []string{"", "<", "", "", "", "<", "", "<", "<", "<", "<", "", "<", "<", "?", "x", "", "", "c", "<", "<", "<", "<", "<", "<", "<", "<", "<", "q"}},
		{name: "advanced", change: saved, lines: []string{"", "", "", "", "", "", "", "?", "x", "<", "", "yes", "", "alarm", "", "<", "ftfw", "?", "0", "4096", ".", "<", "advanced", "", "<", "<", "purge", "default", "checksum", "no", "q", "y"}},
		{name: "rest", change: saved, lines: []string{"."}, err: ErrUnfinished},
		{name: "rest-of-nothing", lines: []string{"e", ".", "bond0", "", "10.0.2.2/24", "", "", "", ""}, err: ErrUnfinished},
		{name: "unmanaged", change: func(o *LineOptions) { o.Unmanaged, o.StateUnknown = true, true },
			lines: []string{"", "eth1", "", "10.0.0.102/24", ".", "", "c"}, err: ErrUnfinished},
		{name: "unknown-state", change: func(o *LineOptions) { o.StateUnknown = true }, lines: []string{"", "d"}, err: ErrUnfinished},
		{name: "suggestions", change: func(o *LineOptions) {
			withNeighbours("10.0.0.103", "10.0.0.102")(&o.Options)
			o.Effects.Interfaces = listed(appliance()[:4])
		}, lines: []string{"e", "", "", "", "", "128K", "", "", ""}, err: ErrUnfinished},
		{name: "several-addresses", lines: []string{"e", "eth10", "10.1.0.5/30", "", "", "", "", ""}, err: ErrUnfinished},
		{name: "default-route", lines: []string{"e", "eth0", "10.0.0.7/24"}, err: ErrUnfinished},
		{name: "cure-what-is-missing", lines: []string{"d", ".", "<", "1", "e", "", "eth1", "<", "", "10.0.0.102/24"}, err: ErrUnfinished},
		{name: "length-not-recorded", change: func(o *LineOptions) {
			saved(o)
			o.Saved.Current = netip.PrefixFrom(o.Saved.Current.Addr(), -1)
			o.Saved.Peer = netip.Prefix{}
		}, lines: []string{"", "", "10.0.0.101", "", "10.0.0.102/24"}, err: ErrUnfinished},
		{name: "end-of-input", lines: []string{"e", "4"}, err: ErrUnfinished},
		{name: "end-after-save", lines: wholeJob},
		{name: "end-with-changes-after-save", lines: append(append([]string{}, wholeJob...), "c", "port", "3781"), err: ErrUnfinished},
		{name: "blocked", change: with(func(e *Effects) { e.Planner = &fakePlanner{findings: badHost} }),
			lines: append(append([]string{}, wholeJob[:8]...), "?", "zz", "9", "ip", "peer", "<", "3", "10.0.0.7/24", "", "q", "y")},
		{name: "first-node", change: with(func(e *Effects) {
			e.Planner = &fakePlanner{findings: noPeer}
			e.Applier = &fakeApplier{steps: silentSteps(), outcome: apply.Outcome{Changed: true, Verdict: health.VerdictSilent}}
			e.Observer = &fakeObserver{at: idle(health.VerdictSilent, "nothing has come from 10.0.0.102", "set up the peer")}
		}), lines: append(append([]string{}, wholeJob[:8]...), "y", "yes", "y", "s", "q")},
		{name: "no-first-node", change: with(func(e *Effects) { e.Planner = &fakePlanner{findings: noPeer} }),
			lines: append(append([]string{}, wholeJob[:8]...), "", "q", "y")},
		{name: "unknown", change: with(func(e *Effects) { e.Planner = &fakePlanner{findings: unknownBlocker} }),
			lines: append(append([]string{}, wholeJob[:8]...), "no", "", "YES", "n", "q", "y")},
		{name: "warnings", change: with(func(e *Effects) { e.Planner = &fakePlanner{findings: warned} }),
			lines: append(append([]string{}, wholeJob[:8]...), "<", "q", "y")},
		{name: "nothing-planned", change: with(func(e *Effects) { e.Planner = nil }), lines: wholeJob[:8], err: ErrUnfinished},
		{name: "disable", change: saved, lines: []string{"d", ".", "?", "x", "n", "q", "y"}},
		{name: "replaces", change: with(func(e *Effects) { e.Reviewer = fakeReviewer{review: replacingReview()} }),
			lines: append(append([]string{}, wholeJob...), "", "c", "", "yes", "y", "q")},
		{name: "long-diff", change: with(func(e *Effects) { e.Reviewer = fakeReviewer{review: longReview()} }),
			lines: append(append([]string{}, wholeJob[:8]...), "d", "y", "q")},
		{name: "host", change: with(func(e *Effects) { e.Reviewer = fakeReviewer{review: preparingReview()} }),
			lines: append(append([]string{}, wholeJob[:8]...), "h", "h", "h", "y", "q")},
		{name: "host-only", change: with(func(e *Effects) { e.Reviewer = fakeReviewer{review: onlyHostReview()} }),
			lines: append(append([]string{}, wholeJob[:8]...), "h", "y", "q", "y")},
		{name: "unchanged", change: func(o *LineOptions) {
			saved(o)
			o.Effects.Reviewer = fakeReviewer{review: apply.Review{Unchanged: true, Candidate: changedReview().Candidate}}
		}, lines: []string{"."}},
		{name: "review-failed", change: with(func(e *Effects) {
			e.Reviewer = fakeReviewer{err: errors.New("/etc/conntrackd/conntrackd.conf:7:3: unexpected }")}
		}), lines: wholeJob[:8], err: ErrUnfinished},
		{name: "rolled-back", change: with(func(e *Effects) {
			e.Applier = &fakeApplier{steps: rolledBackSteps(), outcome: apply.Outcome{RolledBack: true, Err: errors.New("restart conntrackd.service: failed")}}
		}), lines: append(append([]string{}, wholeJob...), "q", "y"), err: ErrUnfinished},
		{name: "not-rolled-back", change: with(func(e *Effects) {
			e.Applier = &fakeApplier{steps: rollbackFailedSteps(), outcome: apply.Outcome{Changed: true, Err: errors.New("no space left on device")}}
		}), lines: wholeJob, err: ErrUnfinished},
		{name: "no-effects", change: func(o *LineOptions) { saved(o); o.Effects = Effects{Planner: &fakePlanner{}} },
			lines: []string{".", "<", "", "", "c", "", "s", "m", "q"}, err: ErrUnfinished},
		{name: "unlisted", change: with(func(e *Effects) { e.Interfaces = unlisted{} }), lines: []string{"e", "eth1", "10.0.0.101/24"}, err: ErrUnfinished},
		{name: "many-interfaces", change: with(func(e *Effects) { e.Interfaces = listed(manyInterfaces(4000)) }),
			lines: []string{"e", ".398", "10.0.14.", "9", "", ""}, err: ErrUnfinished},
		{name: "gate", change: func(o *LineOptions) {
			o.Gate = "Connection sync belongs to the link load balancer; this appliance runs WAF (/etc/connsync/application)."
		}, err: ErrUnfinished},
		{name: "gate-leftover", change: func(o *LineOptions) {
			saved(o)
			withLeftover(&o.Options)
			o.Effects.Reviewer = fakeReviewer{review: changedReview()}
		},
			lines: []string{"maybe", "y", "<"}, err: ErrUnfinished},
		{name: "gate-leftover-disabled", change: func(o *LineOptions) { saved(o); withLeftover(&o.Options) }, lines: []string{"y", "y", "1"}},
		{name: "gate-leftover-kept", change: func(o *LineOptions) { saved(o); withLeftover(&o.Options) }, lines: []string{""}, err: ErrUnfinished},
		{name: "not-text", lines: []string{"e\x1b[D", "ex\b\x7fe", strings.Repeat("e", 2000), "eth1" + strings.Repeat("0", 70), "eth1\x00\x11\x13", "junk\x1510.0.0.101/24"}, err: ErrUnfinished},
		{name: "unbroken", change: func(o *LineOptions) { o.Width = 0; o.Silent = true }, lines: wholeJob},
		{name: "narrow", change: func(o *LineOptions) { o.Width = 38 }, lines: append(append([]string{}, wholeJob...), "m", "q")},
		{name: "hint", change: func(o *LineOptions) { o.Hint = "Line mode, since TERM is dumb." }, err: ErrUnfinished},
	} {
		t.Run(tc.name, func(t *testing.T) {
			paper, err := dialogue(t, tc.change, tc.lines...)
			if !errors.Is(err, tc.err) || tc.err == nil && err != nil {
				t.Errorf("ended with %v, want %v", err, tc.err)
			}
			golden.RequireEqual(t, paper)
		})
	}
}

// longReview writes a file of many lines again.
func longReview() apply.Review {
	r := creatingReview()
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "# line %d\n", i)
	}
	r.Candidate.New = []byte(b.String())
	return r
}

// What is agreed to by saying more than a word must not be agreed to by what
// was typed ahead for other questions.
func TestLineAgreementIsExplicit(t *testing.T) {
	for _, answer := range []string{"", "y", "Y", "ye", "yess", "yes please", "ok", "1", "e", "."} {
		p := &fakePlanner{findings: noPeer}
		_, _ = dialogue(t, with(func(e *Effects) { e.Planner = p }), append(append([]string{}, wholeJob[:8]...), answer)...)
		for _, first := range p.asked {
			if first {
				t.Errorf("%q was taken for the word that the peer does not exist yet", answer)
			}
		}
	}
	for _, answer := range []string{"", "n", "no", "ye", "yes please", "1", "<", "d", "?"} {
		a := &fakeApplier{steps: savedSteps()}
		applied := &countedApplier{Applier: a}
		_, _ = dialogue(t, with(func(e *Effects) { e.Applier = applied }), append(append([]string{}, wholeJob[:8]...), answer)...)
		if applied.times > 0 {
			t.Errorf("%q was taken for the word to apply", answer)
		}
	}
}

type countedApplier struct {
	Applier
	times int
	given []apply.Review
}

func (c *countedApplier) Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome {
	c.times++
	c.given = append(c.given, r)
	return c.Applier.Apply(ctx, r, each)
}

// The operator's word on the host reaches the applier, also where the review is made
// again for the hook.
func TestLineTellsTheDecisionOnTheHost(t *testing.T) {
	for _, tt := range []struct {
		answers []string
		want    bool
	}{
		{[]string{"y"}, true}, {[]string{"h", "y"}, false}, {[]string{"h", "h", "y"}, true},
		{[]string{"h", "e", "e", "y"}, false}, {[]string{"e", "h", "e", "y"}, false},
	} {
		a := &countedApplier{Applier: &fakeApplier{steps: savedSteps()}}
		effects := func(e *Effects) { e.Applier, e.Reviewer = a, fakeReviewer{review: offeringReview()} }
		if _, err := dialogue(t, with(effects), append(append([]string{}, wholeJob[:8]...), tt.answers...)...); err != nil {
			t.Fatal(err)
		}
		if len(a.given) != 1 || a.given[0].PrepareHost != tt.want {
			t.Errorf("%v: the applier was given %+v", tt.answers, a.given)
		}
	}
}

// What reaches the applier is what was typed, wherever it was typed.
func TestLineAppliesWhatWasTyped(t *testing.T) {
	a := &countedApplier{Applier: &fakeApplier{steps: savedSteps()}}
	effects := func(e *Effects) { e.Applier = a }
	lines := []string{"e", "eth1", "", "10.0.0.102/24", "4000", "256K", "", "", "<", "5", "4001", "", "y"}
	if _, err := dialogue(t, with(effects), lines...); err != nil {
		t.Fatal(err)
	}
	want := pairSettings()
	want.Port, want.SendBuffer, want.ReceiveBuffer = 4001, 262144, 262144
	if a.times != 1 || a.given[0].Candidate.Settings != want || a.given[0].FirstNode {
		t.Errorf("applied %d times, %+v; want once %+v", a.times, a.given, want)
	}

	first := &countedApplier{Applier: &fakeApplier{steps: silentSteps()}}
	_, err := dialogue(t, with(func(e *Effects) { e.Applier, e.Planner = first, &fakePlanner{findings: noPeer} }),
		append(append([]string{}, wholeJob[:8]...), "yes", "y")...)
	if err != nil || first.times != 1 || !first.given[0].FirstNode {
		t.Errorf("first node: applied %d times, error %v", first.times, err)
	}
}

// Being told to end ends every question and every wait at once.
func TestLineEndsWhenToldTo(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		slow  func(*Effects)
		after time.Duration
	}{
		{name: "question", lines: []string{"e", "4"}},
		{name: "checks", lines: wholeJob[:8], after: time.Second, slow: func(e *Effects) {
			e.Planner = &fakePlanner{delays: map[check.ID]time.Duration{"peer-link": time.Hour}}
		}},
		{name: "review", lines: wholeJob[:8], after: time.Second, slow: func(e *Effects) { e.Reviewer = fakeReviewer{block: true} }},
		{name: "agreement", lines: wholeJob[:8], after: time.Second},
		{name: "menu", lines: []string{"<"}, after: time.Second},
		{name: "status", lines: []string{"<", "s"}, after: time.Second, slow: func(e *Effects) { e.Observer = &fakeObserver{block: true} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var paper string
			applied := &countedApplier{Applier: &fakeApplier{}}
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(max(tc.after, 1), cancel)
				in, typing := io.Pipe()
				defer in.Close()
				go io.WriteString(typing, strings.Join(tc.lines, "\n")+"\n")
				var out bytes.Buffer
				o := LineOptions{Options: Options{Context: ctx, Saved: conntrackd.Defaults(), Effects: lineEffects()}, In: in, Out: &out}
				o.Effects.Applier = applied
				if tc.slow != nil {
					tc.slow(&o.Effects)
				}
				begin := time.Now()
				if err := TalkLines(o); !errors.Is(err, ErrUnfinished) {
					t.Errorf("ended with %v", err)
				}
				if took := time.Since(begin); took > tc.after+10*time.Second {
					t.Errorf("took %v", took)
				}
				paper = out.String()
			})
			if !strings.HasSuffix(paper, "Ended. Nothing was saved.\n") || applied.times > 0 {
				t.Errorf("applied %d times, and said:\n%s", applied.times, paper)
			}
			checkPaper(t, paper)
		})
	}
}

// A save that has begun is told to its end.
func TestLineEndsAfterTheSaveThatHasBegun(t *testing.T) {
	var paper string
	a := &fakeApplier{steps: savedSteps()[:6], hold: true}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		var out sheet
		o := LineOptions{
			Options: Options{Context: ctx, Saved: conntrackd.Defaults(), Effects: lineEffects()},
			In:      &typist{lines: wholeJob, paper: &out}, Out: &out, Width: 79,
		}
		o.Effects.Applier = a
		time.AfterFunc(10*time.Second, cancel)
		if err := TalkLines(o); !errors.Is(err, ErrUnfinished) {
			t.Errorf("ended with %v", err)
		}
		paper = out.String()
	})
	if !a.stopped || !strings.Contains(paper, "Failed before anything was changed.") || !strings.HasSuffix(paper, "Ended.\n") {
		t.Errorf("stopped %v:\n%s", a.stopped, paper)
	}
}

// stuck is a line that takes no output after so many bytes.
type stuck struct {
	room int
	free chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.room -= len(p); s.room < 0 {
		<-s.free
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// A line that takes no output does not hold up a save that has begun.
func TestLineSavesWhileNobodyReads(t *testing.T) {
	whole, err := dialogue(t, nil, wholeJob...)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{room: strings.Index(whole, "Keep the old file") - len(strings.Join(wholeJob, "\n")) - 20, free: make(chan struct{})}
		applied := make(chan struct{})
		o := LineOptions{
			Options: Options{Saved: conntrackd.Defaults(), Hostname: "fw-a", Effects: lineEffects()},
			In:      strings.NewReader(strings.Join(wholeJob, "\n") + "\n"), Out: out, Width: 79,
		}
		o.Effects.Applier = &signalling{o.Effects.Applier, applied}
		ended := make(chan error, 1)
		go func() { ended <- TalkLines(o) }()
		<-applied
		synctest.Wait()
		select {
		case err := <-ended:
			t.Errorf("ended with %v on a line that is stuck", err)
		default:
		}
		close(out.free)
		if err := <-ended; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("ended with %v, want the error of the write", err)
		}
	})
}

type signalling struct {
	Applier
	done chan struct{}
}

func (s *signalling) Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome {
	defer close(s.done)
	return s.Applier.Apply(ctx, r, each)
}

// Nothing from outside reaches the paper with its control characters.
func TestLineShowsNothingHostile(t *testing.T) {
	bad := appliance()
	bad[2].Alias, bad[3].Name = hostile, "eth\x1b[2J\u009b"
	review := changedReview()
	review.Candidate.Old = []byte(hostile)
	review.Candidate.Notes = []string{hostile}
	review.Commands = []string{hostile}
	steps := savedSteps()
	steps[2].Detail = hostile
	paper, err := dialogue(t, func(o *LineOptions) {
		o.Hostname = hostile
		o.Effects.Interfaces = listed(bad)
		o.Effects.Planner = &fakePlanner{findings: map[check.ID]check.Finding{
			"dedicated": {Status: check.Failed, Detail: hostile, Remedy: hostile},
		}}
		o.Effects.Reviewer = fakeReviewer{review: review}
		o.Effects.Applier = &fakeApplier{steps: steps}
		o.Effects.Observer = &fakeObserver{at: idle(health.VerdictLosing, hostile, hostile)}
	}, "e", "1", "<", "eth1", "\u00e9\u202e", "", "10.0.0.102/24", "", "", "", "", "d", "y", "m", "q")
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(paper) {
		if len(line) > unbroken {
			t.Errorf("a line of %d", len(line))
		}
	}
	if n := strings.Count(paper, "start"); n < 8 {
		t.Errorf("the text was told %d times only:\n%s", n, paper)
	}
}

// What is neither enabled nor disabled, and what is not known, is called so.
func TestLineGreetsWithWhatIsKnown(t *testing.T) {
	for want, o := range map[string]Options{
		"Connection Sync Settings: sync not known.\n": {StateUnknown: true},
		"Connection Sync Settings: sync half enabled.\nconntrackd starts at boot, and does not run now: Enable does both, Disable neither.\n": {
			HalfEnabled: "conntrackd starts at boot, and does not run now"},
	} {
		var out bytes.Buffer
		o.Saved, o.Effects = conntrackd.Defaults(), lineEffects()
		if err := TalkLines(LineOptions{Options: o, In: strings.NewReader(""), Out: &out}); !errors.Is(err, ErrUnfinished) {
			t.Errorf("ended with %v", err)
		}
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("want %q; it said:\n%s", want, &out)
		}
	}
}
