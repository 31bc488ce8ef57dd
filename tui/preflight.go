package tui

import (
	"context"
	"slices"

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
	takesUnknown bool // the operator: go on although checks could not run

	leavesHost bool // the operator: the save does not prepare the host
	firewall   bool // the operator: the save adds the firewall rules

	state   preflightState
	run     *run
	cancel  context.CancelFunc
	results []check.Result // in the plan's order
	grace   grace
	work    work
	all     bool // what is no problem is shown too

	width, height int
	selected      int // index into rows
	top           int // first line of the list in sight
	moved         bool
	keys          preflightKeys
}

type preflightKeys struct {
	up, down, pageUp, pageDown, first, last key.Binding
	next, again, firstNode, unknown, back   key.Binding
	problem, all, mend                      key.Binding
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
			mend:      bind("i", "fix", "i"),
			problem:   bind("n", "next problem", "n"),
			all:       bind("a", "all", "a"),
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

// start runs all checks again. What an older run still sends is dropped. The
// plan is made in the background too: it may have to look at the service.
func (p *preflight) start() tea.Cmd {
	p.cancel()
	p.state, p.grace, p.takesUnknown = preflightRunning, grace{}, false
	p.selected, p.top, p.moved = 0, 0, false
	for i := range p.results { // an older plan shows what is asked again
		p.results[i].Finding = check.Finding{}
	}
	current := newRun(p.run)
	p.run = current
	ctx, cancel := context.WithCancel(p.env.ctx)
	p.cancel = cancel
	planner, settings, firstNode := p.env.effects.Planner, p.settings, p.firstNode
	return tea.Batch(func() tea.Msg {
		var checks []check.Check
		if planner != nil {
			checks = planner.Plan(settings, firstNode)
		}
		return planMade{current, ctx, cancel, checks}
	}, p.work.start(p.env.glyphs))
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
	p.work.stop()
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
	case graceEnded:
		p.grace.end(msg)
	case tea.KeyPressMsg:
		return p.press(msg)
	default:
		return nil, p.work.update(msg)
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
	at := p.focused().ID
	p.results, p.state = report.Results, preflightFinished
	p.work.stop()
	if p.selected = 0; p.moved {
		p.selected = max(0, slices.IndexFunc(p.rows(), func(r check.Result) bool { return r.ID == at }))
	}
	p.top = 0
	p.reveal()
	return p.grace.start()
}

// rows are the results that are shown: of a finished run the problems first, and
// the rest only where it is asked for.
func (p *preflight) rows() []check.Result {
	if p.state != preflightFinished {
		return p.results
	}
	problems, rest := text.ProblemsFirst(p.results)
	if p.all {
		return append(problems, rest...)
	}
	return problems
}

// focused is the selected result, the zero value where there is none.
func (p *preflight) focused() check.Result {
	if rows := p.rows(); p.selected < len(rows) {
		return rows[p.selected]
	}
	return check.Result{}
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
		p.jump(len(p.rows()) - 1)
	case key.Matches(msg, k.problem):
		p.nextProblem()
	case key.Matches(msg, k.all) && p.state == preflightFinished:
		p.all = !p.all
		p.jump(p.selected)
	case !p.grace.over && p.state == preflightFinished:
		// Decisions only once the operator can have read what they are about.
		return nil, p.grace.ignore()
	case !p.grace.over:
	case key.Matches(msg, k.mend):
		return p.mend()
	case key.Matches(msg, k.firstNode) && p.offersFirstNode():
		p.firstNode = !p.firstNode
		return nil, p.start()
	case key.Matches(msg, k.unknown) && p.offersUnknown():
		p.takesUnknown = !p.takesUnknown
	case key.Matches(msg, k.next) && p.passable():
		return p.reviewWanted(), nil
	}
	return nil, nil
}

func (p *preflight) reviewWanted() reviewWanted {
	left := text.Unsettled(p.report(), p.firstNode, !p.leavesHost)
	return reviewWanted{
		settings: p.settings, firstNode: p.firstNode, checked: true, warnings: left, leavesHost: p.leavesHost, firewall: p.firewall,
	}
}

// nextProblem selects the problem after the selected one, and after the last the
// first.
func (p *preflight) nextProblem() {
	rows := p.rows()
	for by := 1; by <= len(rows); by++ {
		if i := (p.selected + by) % len(rows); text.IsProblem(rows[i]) {
			p.jump(i)
			return
		}
	}
}

// mendable is what connsync can do about the selected result.
func (p *preflight) mendable() (text.Mend, bool) {
	if p.state != preflightFinished {
		return text.Mend{}, false
	}
	m, ok := text.MendOf(p.focused(), p.settings, p.env.interfaces())
	if m.With != "" && !p.saving {
		return m, false
	}
	return m, ok
}

// mend does it, where it can be done here, or agrees that the save does.
func (p *preflight) mend() (outcome, tea.Cmd) {
	m, ok := p.mendable()
	switch {
	case !ok:
	case m.With == check.MendHost:
		p.leavesHost = !p.leavesHost
	case m.With == check.MendFirewall:
		p.firewall = !p.firewall
	default:
		p.settings = m.Settings
		return settingsMended{m.Settings}, p.start()
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

// offersUnknown reports whether the only thing in the way is a check that could
// not run.
func (p *preflight) offersUnknown() bool {
	return p.saving && p.state == preflightFinished && len(p.results) > 0 &&
		p.report().Verdict() == check.VerdictUnknown
}

// offersFirstNode reports whether the operator may say that the peer does not
// exist yet, or withdraw that: when nothing but the peer's silence blocks.
func (p *preflight) offersFirstNode() bool {
	if p.firstNode {
		return p.state != preflightRunning
	}
	return p.state == preflightFinished && text.ChecksOf(p.report()).OnlyPeer
}

func (p *preflight) help() []key.Binding {
	k := p.keys
	_, mendable := p.mendable()
	problems, rest := text.ProblemsFirst(p.results)
	k.next.SetEnabled(p.passable())
	k.firstNode.SetEnabled(p.offersFirstNode())
	k.unknown.SetEnabled(p.offersUnknown())
	k.mend.SetEnabled(mendable)
	k.problem.SetEnabled(len(problems) > 1 && p.state == preflightFinished)
	k.all.SetEnabled(len(rest) > 0 && p.state == preflightFinished)
	if p.all {
		k.all.SetHelp("a", "problems only")
	}
	if p.state == preflightRunning {
		k.back.SetHelp("esc", "stop")
	}
	return []key.Binding{k.next, k.firstNode, k.unknown, k.mend, k.problem, k.back, k.all, k.again, k.down}
}

func (p *preflight) title() string {
	if !p.saving {
		return "Connection Sync: checks"
	}
	return path(p.width, "checks", "checks", "review", "apply")
}

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
		"skip: not run, because a check that it needs failed.  unknown: could not run, so it counts as not passed.",
		"Problems come first. Move through the list, or to the next problem with n, to read a finding in full, and what to do about it. a shows the other checks too.",
		"i does what connsync can do itself: other addresses at once, the host and the firewall with the save, after the review.",
	}
}
