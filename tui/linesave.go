package tui

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
	"connsync/netcheck/check"
	"connsync/plural"
	"connsync/tui/text"
)

// save goes from the answers to the checks, or back to what is in the way.
func (t *lineTalk) save() (stage, error) {
	s, problems := t.draft.Settings()
	switch {
	case len(problems) > 0:
		return t.fix(problems[0])
	case !t.env.checked(s):
		return t.review(s, false), nil
	}
	return t.checks(s, false), nil
}

// checks asks everything that has to be good before a save.
func (t *lineTalk) checks(s conntrackd.Settings, firstNode bool) stage {
	return func() (stage, error) {
		t.out.say("Checking " + t.env.pair(s) + ".")
		report := t.check(s, firstNode)
		if err := t.ctx.Err(); err != nil {
			return nil, err
		}
		told := text.ChecksOf(report)
		t.out.say(told.Sentence)
		for _, r := range told.Obstacles { // told again: it may be many lines back
			t.out.columns(text.CheckLines(r))
		}
		switch report.Verdict() {
		case check.VerdictPass, check.VerdictWarn:
			return t.review(s, firstNode), nil
		case check.VerdictUnknown:
			if len(report.Results) == 0 {
				return t.change, nil
			}
			return t.decide(text.GoOnUnknown, t.review(s, firstNode))
		}
		if !firstNode && told.OnlyPeer {
			return t.decide(text.FirstNode+" "+text.FirstNodeFollows, t.checks(s, true))
		}
		return t.change, nil
	}
}

// decide goes on to next when something is stated, else back to the fields.
func (t *lineTalk) decide(what string, next stage) (stage, error) {
	sure, err := t.state(what)
	if err != nil || !sure {
		return t.change, err
	}
	return next, nil
}

// check runs the plan and tells each result.
func (t *lineTalk) check(s conntrackd.Settings, firstNode bool) check.Report {
	var plan []check.Check
	if p := t.env.effects.Planner; p != nil {
		plan = p.Plan(s, firstNode)
	}
	tell := InPlanOrder(plan, func(r check.Result) { t.out.columns(text.CheckLines(r)) })
	return check.Run(t.ctx, plan, tell)
}

// InPlanOrder returns a function that takes results as they arrive and hands
// them to each in the order of the plan, as soon as those before are known. It
// is called by one goroutine at a time.
func InPlanOrder(plan []check.Check, each func(check.Result)) func(check.Result) {
	arrived := map[check.ID]check.Result{}
	next := 0
	return func(r check.Result) {
		for arrived[r.ID] = r; next < len(plan); next++ {
			r, ok := arrived[plan[next].ID]
			if !ok {
				return
			}
			each(r)
		}
	}
}

// shortDiff is how many lines of a diff are told without being asked for.
const shortDiff = 40

// review tells what a save would do and asks for agreement.
func (t *lineTalk) review(s conntrackd.Settings, firstNode bool) stage {
	return t.reviewed(newReview(t.env, reviewWanted{settings: s, firstNode: firstNode}))
}

// reviewed makes a review, tells it as the screen does, so that nothing it holds
// is left out, and asks for agreement.
func (t *lineTalk) reviewed(r *review) stage {
	return func() (stage, error) {
		made, err := apply.Review{}, errNoEffect
		if making := r.making(); making != nil {
			made, err = making(t.ctx)
		}
		r.take(reviewMade{review: made, diff: made.Diff(), err: err})
		switch {
		case t.ctx.Err() != nil:
			return nil, t.ctx.Err()
		case err != nil:
			return t.foreign(err)
		case made.Unchanged:
			t.out.say(text.NothingToSave(r.settings))
			t.settled(r.settings)
			return t.onward(), nil
		}
		r.width = t.out.width
		t.lines(r.summary())
		diff := t.env.diffLines(r.diff, diffWidth)
		if len(diff) <= shortDiff {
			t.lines(diff)
			diff = nil
		}
		return t.agree(r, diff)
	}
}

// agree asks for the word to go on. diff are the lines that have not been told.
func (t *lineTalk) agree(r *review, diff []string) (stage, error) {
	if len(r.review.Replaced()) > 0 {
		sure, err := t.state(text.Agree)
		if err != nil {
			return nil, err
		}
		if !sure {
			t.out.line(text.NothingChanged)
			return t.menu, nil
		}
	}
	for {
		answer, err := t.ask(applyQuestion(r, len(diff)))
		switch {
		case err != nil:
			return nil, err
		case oneOf(answer, "y", "yes"):
			if why := r.blocked(); (r.review.OnlyHost || r.hook.accepted) && why != "" {
				t.out.line(why)
				return t.menu, nil
			}
			return t.apply(r.settings, r.review), nil
		case oneOf(answer, "h") && r.preparable():
			r.decideHost()
			t.lines(r.hostLines())
		case oneOf(answer, "e") && r.hook.there:
			r.decide()
			return t.reviewed(r), nil
		case oneOf(answer, "", "n", "no"):
			t.out.line(text.NothingChanged)
			return t.menu, nil
		case answer == "<":
			return t.change, nil
		case oneOf(answer, "d") && len(diff) > 0:
			t.lines(diff)
		case answer == "?":
			_, lines := r.explain()
			for _, l := range lines {
				t.out.say(l)
			}
		default:
			t.out.line(typeYesNo)
		}
	}
}

// applyQuestion names what can be answered beside yes and no.
func applyQuestion(r *review, diffLines int) string {
	question := "Apply? [y/N"
	if r.preparable() {
		what := "does not prepare the host"
		if !r.review.PrepareHost {
			what = "prepares the host"
		}
		question += ", h " + what
	}
	if r.hook.there {
		question += ", e " + map[bool]string{true: "does not change keepalived", false: "makes keepalived call connsync, with the external cache"}[r.hook.accepted]
	}
	if diffLines > 0 {
		question += ", d shows the change (" + plural.Of(diffLines, "line", "lines") + ")"
	}
	return question + "]:"
}

func (t *lineTalk) lines(lines []string) {
	for _, l := range lines {
		t.out.line(l)
	}
}

// apply carries out what was agreed to. The work does not wait for the paper:
// a line that takes no output must not hold up a save.
func (t *lineTalk) apply(s conntrackd.Settings, r apply.Review) stage {
	return func() (stage, error) {
		if err := t.ctx.Err(); err != nil {
			return nil, err
		}
		a := newApply(t.env, applyWanted{settings: s, review: r})
		steps := make(chan step.Step, stepBacklog)
		ended := make(chan apply.Outcome, 1)
		go func() {
			defer close(steps)
			ended <- t.carryOut(r, steps)
		}()
		waits := false
		for progress := range steps {
			a.steps = withStep(a.steps, progress)
			if progress.Status != step.Running {
				t.out.columns([]string{text.StepLine(progress)})
			} else if text.AwaitsPeer(a.steps) && !waits {
				waits = true
				t.out.say(text.Underway(a.steps, false))
			}
		}
		a.outcome, a.ended = <-ended, true
		t.tellForeign(a.outcome.Err)
		sentence, told := a.verdict()
		t.out.say(sentence)
		if told.Why != "" {
			t.out.say(told.Why)
		}
		if t.failed = a.outcome.Err != nil; t.failed {
			return t.menu, nil
		}
		t.settled(s)
		if a.tellsPeer() {
			t.peer(s, r.Candidate.OldSettings()...)
		}
		return t.onward(), nil
	}
}

// onward is what comes after a save: the menu, or the wait for the peer where a
// setup is done with it.
func (t *lineTalk) onward() stage {
	if t.setup != nil {
		return t.awaitPeer
	}
	return t.menu
}

func (t *lineTalk) carryOut(r apply.Review, steps chan<- step.Step) apply.Outcome {
	if t.env.effects.Applier == nil {
		return apply.Outcome{Verdict: health.VerdictUnknown, Err: errNoEffect}
	}
	return t.env.effects.Applier.Apply(t.ctx, r, func(s step.Step) {
		select {
		case steps <- s:
		default: // nobody reads; the work goes on
		}
	})
}

// settled takes s as what is in force.
func (t *lineTalk) settled(s conntrackd.Settings) {
	t.draft.Rebase(s)
	t.inForce, t.failed = true, false
}

// peer tells what to type at the other node; see peerLines.
func (t *lineTalk) peer(s conntrackd.Settings, before ...conntrackd.Settings) {
	t.lines(peerLines(t.env, s, t.out.width, before...))
}

// lookFor is how long the status is looked for; in sync is seen within two
// seconds.
const lookFor = 5 * time.Second

// status looks until the sync is seen to work, and tells what was seen; with
// more also the daemon's numbers.
func (t *lineTalk) status(more bool) error {
	t.out.line(fmt.Sprintf("Looking, up to %.0f s.", lookFor.Seconds()))
	health := t.observe()
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.out.columns(text.StatusLines(health))
	saved, _ := t.env.table.Settings(t.draft.Saved())
	view := &status{env: t.env, settings: saved, pulse: &pulse{env: t.env, seen: true, health: health}, width: t.out.width}
	if more {
		if !health.Counters.Time.IsZero() {
			view.width = min(t.out.width, 80)
			t.lines(view.counts())
			view.width = t.out.width
		}
		for _, r := range text.About(health, saved) {
			t.lines(view.labelled(r))
		}
	}
	if text.WantsPeer(health, saved) {
		t.peer(saved)
	}
	return nil
}

func (t *lineTalk) observe() health.Health {
	ctx, cancel := context.WithTimeout(t.ctx, lookFor)
	defer cancel()
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		last, err := t.lookOnce()
		if err != nil {
			return last
		}
		if last.Verdict.BothWays() || last.Verdict == health.VerdictStopped {
			return last
		}
		select {
		case <-ctx.Done():
			return last
		case <-ticker.C:
		}
	}
}

// lookOnce is one look at the sync.
func (t *lineTalk) lookOnce() (health.Health, error) {
	o := t.env.effects.Observer
	if o == nil {
		return health.Health{Verdict: health.VerdictUnknown, Cause: errNoEffect.Error()}, errNoEffect
	}
	ctx, cancel := context.WithTimeout(t.ctx, statusPatience)
	defer cancel()
	found, err := o.Observe(ctx)
	if err != nil {
		found = health.Health{Verdict: health.VerdictUnknown, Cause: err.Error()}
	}
	return found, err
}
