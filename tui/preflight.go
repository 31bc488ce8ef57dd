package tui

import (
	"context"
	"slices"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/netcheck/check"
	"connsync/tui/text"
)

// Planner knows what to check before settings are saved.
type Planner interface {
	// Plan returns the checks for s, in the order in which they are shown.
	// With firstNode the peer is known not to exist yet.
	Plan(s conntrackd.Settings, firstNode bool) []check.Check
}

// planMade is the plan of a run, about to be asked until ctx ends.
type planMade struct {
	run    *run
	ctx    context.Context
	cancel context.CancelFunc
	checks []check.Check
}

// checkFinished is one result of a run.
type checkFinished struct {
	run    *run
	result check.Result
	more   <-chan check.Result
}

// planFinished is the end of a run.
type planFinished struct {
	run    *run
	report check.Report
}

// preflightSettled tells that the grace period after a run is over.
type preflightSettled struct{ run *run }

type preflightState int

const (
	preflightRunning preflightState = iota
	preflightStopped
	preflightFinished
)

// preflight shows the checks as their results arrive, and lets a save go on
// when nothing stands in its way.
type preflight struct {
	env      *env
	settings conntrackd.Settings
	saving   bool // on the way to the review; else only a look

	firstNode    bool // the operator: the peer does not exist yet
	takesUnknown bool // the operator: go on with what could not be looked at

	state   preflightState
	run     *run
	cancel  context.CancelFunc
	results []check.Result // in the plan's order
	settled bool           // the grace period is over

	width, height int
	selected      int // index into results
	top           int // first line of the list in sight
	moved         bool
	keys          preflightKeys
}

type preflightKeys struct {
	up, down, pageUp, pageDown, first, last key.Binding
	next, again, firstNode, unknown, back   key.Binding
}

// newPreflight returns the screen; start begins the checks.
func newPreflight(e *env, s conntrackd.Settings, saving bool) *preflight {
	return &preflight{
		env: e, settings: s, saving: saving, cancel: func() {},
		keys: preflightKeys{
			next:      bind("enter", "review", "enter"),
			firstNode: bind("f", "first node", "f"),
			unknown:   bind("y", "go on anyway", "y"),
			again:     bind("r", "check again", "r"),
			up:        bind("up", "", "up", "k", "shift+tab"),
			down:      bind("up/down", "detail", "down", "j", "tab"),
			pageUp:    bind("pgup", "", "pgup"),
			pageDown:  bind("pgdn", "", "pgdown", "space"),
			first:     bind("home", "", "home"),
			last:      bind("end", "", "end"),
			back:      bind("esc", "back", "esc", "q", "ctrl+c"),
		},
	}
}

// start asks all checks anew. What an older run still sends is dropped. The
// plan is made in the background too: it may have to look at the service.
func (p *preflight) start() tea.Cmd {
	p.cancel()
	p.state, p.settled, p.takesUnknown = preflightRunning, false, false
	p.selected, p.top, p.moved = 0, 0, false
	for i := range p.results { // an older plan shows what is asked again
		p.results[i].Finding = check.Finding{}
	}
	current := newRun(p.run)
	p.run = current
	ctx, cancel := context.WithCancel(p.env.ctx)
	p.cancel = cancel
	planner, settings, firstNode := p.env.effects.Planner, p.settings, p.firstNode
	return func() tea.Msg {
		var checks []check.Check
		if planner != nil {
			checks = planner.Plan(settings, firstNode)
		}
		return planMade{current, ctx, cancel, checks}
	}
}

// ask shows the plan and begins to ask.
func (p *preflight) ask(plan planMade) tea.Cmd {
	p.results = make([]check.Result, len(plan.checks))
	for i, c := range plan.checks {
		p.results[i] = check.Result{ID: c.ID, Title: c.Title, Severity: c.Severity}
	}
	results := make(chan check.Result, len(plan.checks))
	work := func() tea.Msg {
		defer plan.cancel()
		defer close(results)
		report := check.Run(plan.ctx, plan.checks, func(r check.Result) { results <- r })
		return planFinished{plan.run, report}
	}
	return tea.Batch(work, awaitCheck(plan.run, results))
}

func awaitCheck(current *run, results <-chan check.Result) tea.Cmd {
	return func() tea.Msg {
		r, ok := <-results
		if !ok {
			return nil
		}
		return checkFinished{current, r, results}
	}
}

// close ends a run at once; whatever it still sends is dropped.
func (p *preflight) close() {
	p.cancel()
	if p.state == preflightRunning {
		p.state, p.run = preflightStopped, newRun(p.run)
	}
}

func (p *preflight) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case planMade:
		if msg.run == p.run {
			return nil, p.ask(msg)
		}
	case checkFinished:
		if msg.run != p.run {
			return nil, nil
		}
		p.take(msg.result)
		return nil, awaitCheck(msg.run, msg.more)
	case planFinished:
		if msg.run != p.run {
			return nil, nil
		}
		return nil, p.finish(msg.report)
	case preflightSettled:
		if msg.run == p.run {
			p.settled = true
		}
	case tea.KeyPressMsg:
		return p.press(msg)
	}
	return nil, nil
}

func (p *preflight) take(r check.Result) {
	for i := range p.results {
		if p.results[i].ID == r.ID {
			p.results[i] = r
		}
	}
}

func (p *preflight) finish(report check.Report) tea.Cmd {
	p.results, p.state = report.Results, preflightFinished
	if !p.moved {
		p.selected = rootCause(p.results)
	}
	p.reveal()
	current := p.run
	return tea.Tick(dialogGrace, func(time.Time) tea.Msg { return preflightSettled{current} })
}

// rootCause is the index of the result to read first. What was skipped hangs
// on something else and is never it.
func rootCause(results []check.Result) int {
	wanted := []func(check.Result) bool{
		func(r check.Result) bool { return r.Status == check.Failed && r.Severity == check.Blocker },
		func(r check.Result) bool { return r.Status == check.Unknown && r.Severity == check.Blocker },
		func(r check.Result) bool { return r.Status == check.Failed },
		func(r check.Result) bool { return r.Status == check.Unknown },
	}
	for _, is := range wanted {
		if i := slices.IndexFunc(results, is); i >= 0 {
			return i
		}
	}
	return 0
}

func (p *preflight) press(msg tea.KeyPressMsg) (outcome, tea.Cmd) {
	k := p.keys
	switch {
	case key.Matches(msg, k.back):
		p.close()
		return closed{}, nil
	case key.Matches(msg, k.again):
		return nil, p.start()
	case key.Matches(msg, k.up):
		p.move(-1)
	case key.Matches(msg, k.down):
		p.move(1)
	case key.Matches(msg, k.pageUp):
		p.jump(p.selected - p.listHeight())
	case key.Matches(msg, k.pageDown):
		p.jump(p.selected + p.listHeight())
	case key.Matches(msg, k.first):
		p.jump(0)
	case key.Matches(msg, k.last):
		p.jump(len(p.results) - 1)
	case !p.settled:
		// Decisions only once the operator can have read what they are about.
	case key.Matches(msg, k.firstNode) && p.offersFirstNode():
		p.firstNode = !p.firstNode
		return nil, p.start()
	case key.Matches(msg, k.unknown) && p.offersUnknown():
		p.takesUnknown = !p.takesUnknown
	case key.Matches(msg, k.next) && p.passable():
		return reviewWanted{p.settings, p.firstNode}, nil
	}
	return nil, nil
}

func (p *preflight) report() check.Report { return check.Report{Results: p.results} }

// passable reports whether the save may go on.
func (p *preflight) passable() bool {
	if !p.saving || p.state != preflightFinished {
		return false
	}
	switch p.report().Verdict() {
	case check.VerdictPass, check.VerdictWarn:
		return true
	case check.VerdictUnknown:
		return p.takesUnknown
	}
	return false
}

// offersUnknown reports whether the only thing in the way is what could not be
// looked at.
func (p *preflight) offersUnknown() bool {
	return p.saving && p.state == preflightFinished && len(p.results) > 0 &&
		p.report().Verdict() == check.VerdictUnknown
}

// offersFirstNode reports whether the operator may say that the peer does not
// exist yet, or take it back: when nothing but the peer's silence blocks.
func (p *preflight) offersFirstNode() bool {
	if p.firstNode {
		return p.state != preflightRunning
	}
	return p.state == preflightFinished && text.ChecksOf(p.report()).OnlyPeer
}

func (p *preflight) help() []key.Binding {
	k := p.keys
	k.next.SetEnabled(p.passable())
	k.firstNode.SetEnabled(p.offersFirstNode())
	k.unknown.SetEnabled(p.offersUnknown())
	if p.state == preflightRunning {
		k.back.SetHelp("esc", "stop")
	}
	return []key.Binding{k.next, k.firstNode, k.unknown, k.again, k.down, k.back}
}

func (p *preflight) title() string { return "Connection Sync: checks" }

// interrupt makes ctrl+c stop a run.
func (p *preflight) interrupt() string {
	if p.state == preflightRunning {
		return "stop"
	}
	return ""
}

func (p *preflight) explain() (title string, lines []string) {
	return "Help: checks", []string{
		"ok: looked at, and good.  warn: not as it should be, a save is possible.  FAIL: stands in the way of a save.",
		"skip: not asked, because something it needs failed.  unknown: could not be looked at, which is no pass.",
		"Move through the list to read a finding in full, and what to do about it.",
	}
}
