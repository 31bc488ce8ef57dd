package tui

import (
	"context"
	"slices"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
	"connsync/tui/text"
)

// Applier carries out a review that the operator agreed to.
type Applier interface {
	// Apply tells each step as it starts and as it ends; a step keeps its ID.
	// When ctx ends before the write, nothing is left behind. Later, Apply
	// goes on until the change is completed or rolled back, and only the wait
	// for the peer is cut short. A program that ends has to wait for Apply.
	Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome
}

// stepBacklog is how many steps may wait for the screen. It is far more than
// an apply has; what is beyond it is in the outcome.
const stepBacklog = 256

// stepTaken is news of one step.
type stepTaken struct {
	run  *run
	step step.Step
	more <-chan step.Step
}

// applyEnded is the end of an apply.
type applyEnded struct {
	run     *run
	outcome apply.Outcome
}

// saving shows the steps of a save as they happen, then how it ended and what
// to do next: at the other node, or back.
type saving struct {
	env      *env
	settings conntrackd.Settings
	review   apply.Review
	path     []string       // see [applyWanted]
	before   health.Verdict // blank where it is not known
	run      *run
	cancel   context.CancelFunc
	steps    []step.Step
	ended    bool
	outcome  apply.Outcome
	stopping bool
	grace    grace
	work     work
	wait     peerWait
	focus    int // of the buttons

	width, height int
	top           int
	scrolled      bool
}

// applyButton is what can be done after a save.
type applyButton int

const (
	chooseRollBack applyButton = iota
	chooseStatus
	chooseForm
)

func (b applyButton) label() string {
	return [...]string{"Roll Back", "Status", "Form"}[b]
}

var applyKeys = struct{ press, next, prev, status, form, up, down, stop key.Binding }{
	press:  bind("enter", "choose", "enter"),
	next:   bind("tab", "next", "tab", "right"),
	prev:   bind("shift+tab", "", "shift+tab", "left"),
	status: bind("s", "status", "s"),
	form:   bind("esc", "form", "esc"),
	up:     bind("up", "", "up", "k", "pgup"),
	down:   bind("up/down", "scroll", "down", "j", "pgdown"),
	stop:   bind("ctrl+c", "", "ctrl+c"),
}

// newApply returns the screen; start begins the work.
func newApply(e *env, o applyWanted) *saving {
	return &saving{env: e, settings: o.settings, review: o.review, path: o.path, before: o.before, cancel: func() {}}
}

func (a *saving) start() tea.Cmd {
	ctx, cancel := context.WithCancel(a.env.ctx)
	current, applier, wanted := newRun(a.run), a.env.effects.Applier, a.review
	a.run, a.cancel = current, cancel
	steps := make(chan step.Step, stepBacklog)
	work := func() tea.Msg {
		defer cancel()
		defer close(steps)
		if applier == nil {
			return applyEnded{current, apply.Outcome{Verdict: health.VerdictUnknown, Err: errNoEffect}}
		}
		return applyEnded{current, applier.Apply(ctx, wanted, func(s step.Step) {
			select {
			case steps <- s:
			default: // nobody looks; the work goes on
			}
		})}
	}
	return tea.Batch(work, awaitStep(current, steps), a.work.start(a.env.glyphs))
}

func awaitStep(current *run, steps <-chan step.Step) tea.Cmd {
	return func() tea.Msg {
		s, ok := <-steps
		if !ok {
			return nil
		}
		return stepTaken{current, s, steps}
	}
}

// close ends the work as far as it can still be ended; see [Applier].
func (a *saving) close() {
	a.cancel()
	a.work.stop()
	a.wait.stop()
}

func (a *saving) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case stepTaken:
		if msg.run != a.run {
			return nil, nil
		}
		if !a.ended {
			a.steps = withStep(a.steps, msg.step)
			a.work.again()
			a.follow()
		}
		return nil, awaitStep(msg.run, msg.more)
	case applyEnded:
		if msg.run == a.run {
			return nil, a.end(msg.outcome)
		}
	case graceEnded:
		a.grace.end(msg)
	case peerLooked:
		return nil, a.looked(msg)
	case tea.KeyPressMsg:
		return a.press(msg)
	default:
		return nil, tea.Batch(a.work.update(msg), a.wait.update(msg))
	}
	return nil, nil
}

// withStep puts news of a step in its place.
func withStep(steps []step.Step, s step.Step) []step.Step {
	for i := range steps {
		if steps[i].ID == s.ID {
			steps[i] = s
			return steps
		}
	}
	return append(steps, s)
}

// end takes the outcome, and tells every screen when new settings are in force.
func (a *saving) end(o apply.Outcome) tea.Cmd {
	for _, s := range o.Steps {
		a.steps = withStep(a.steps, s)
	}
	a.ended, a.outcome = true, o
	a.work.stop()
	if o.Err != nil {
		a.focus = slices.Index(a.buttons(), chooseForm)
	}
	if s := a.sync(); s == apply.SyncWaits || s == apply.SyncFails {
		a.wait = peerWait{observer: a.env.effects.Observer, ctx: a.env.ctx}
	}
	a.follow()
	next := tea.Batch(a.grace.start(), a.wait.start())
	if o.Err != nil {
		return next
	}
	saved, noted := settingsSaved{settings: a.settings}, stateNoted{text: text.ShortVerdict(o.Verdict)}
	tell := []tea.Cmd{func() tea.Msg { return saved }}
	if a.settings.Enabled {
		tell = append(tell, func() tea.Msg { return noted })
	}
	return tea.Batch(next, tea.Sequence(tell...))
}

// sync is how the nodes stand by the outcome.
func (a *saving) sync() apply.Sync {
	return a.outcome.Sync(a.settings.Enabled, a.review.FirstNode)
}

// looked takes a look at the peer that is waited for.
func (a *saving) looked(msg peerLooked) tea.Cmd {
	// A look that found nothing out does not change what was found before.
	if !a.wait.take(msg) || msg.health.Verdict == a.outcome.Verdict || msg.health.Verdict == health.VerdictUnknown {
		return nil
	}
	focused := a.buttons()[a.focus]
	a.outcome.Verdict = msg.health.Verdict
	a.focus = max(slices.Index(a.buttons(), focused), 0) // the way back comes and goes
	a.follow()
	noted := stateNoted{text: text.ShortVerdict(msg.health.Verdict)}
	return func() tea.Msg { return noted }
}

// worse says that the sync was better before the save, so that the way back comes
// first.
func (a *saving) worse() bool {
	return a.ended && a.outcome.Err == nil && a.outcome.Entry != 0 && a.env.effects.History != nil &&
		a.sync() == apply.SyncFails && text.Worse(a.before, a.outcome.Verdict)
}

// buttons are what can be done now, the most likely first.
func (a *saving) buttons() []applyButton {
	if a.worse() {
		return []applyButton{chooseRollBack, chooseStatus, chooseForm}
	}
	return []applyButton{chooseStatus, chooseForm}
}

func (a *saving) press(msg tea.KeyPressMsg) (outcome, tea.Cmd) {
	k := applyKeys
	switch {
	case key.Matches(msg, k.up):
		a.scroll(-1)
	case key.Matches(msg, k.down):
		a.scroll(1)
	case key.Matches(msg, k.stop) && !a.ended:
		a.stopping = true
		a.cancel()
	case !a.ended:
	case !a.grace.over:
		// What was typed ahead must not take the outcome out of sight.
		return nil, a.grace.ignore()
	case key.Matches(msg, k.next):
		a.focus = (a.focus + 1) % len(a.buttons())
	case key.Matches(msg, k.prev):
		a.focus = (a.focus + len(a.buttons()) - 1) % len(a.buttons())
	case key.Matches(msg, k.status):
		return statusWanted{}, nil
	case key.Matches(msg, k.form):
		return formWanted{}, nil
	case key.Matches(msg, k.press):
		return a.choose(), nil
	}
	return nil, nil
}

func (a *saving) choose() outcome {
	switch a.buttons()[a.focus] {
	case chooseRollBack:
		return undoWanted{apply.Entry{Number: a.outcome.Entry}}
	case chooseStatus:
		return statusWanted{}
	}
	return formWanted{}
}

// interrupt makes ctrl+c end the work, not the program, while it goes on.
func (a *saving) interrupt() string {
	if a.ended {
		return ""
	}
	return "stop"
}

func (a *saving) help() []key.Binding {
	k := applyKeys
	k.press.SetEnabled(a.ended)
	k.next.SetEnabled(a.ended)
	k.status.SetEnabled(a.ended)
	k.form.SetEnabled(a.ended)
	k.down.SetEnabled(len(a.text()) > a.textHeight())
	return []key.Binding{k.press, k.next, k.status, k.form, k.down}
}

func (a *saving) title() string { return path(a.width, "apply", a.path...) }

func (a *saving) explain() (title string, lines []string) {
	return "Help: apply", []string{
		"Roll Back comes first where the sync was better before the save. Where the save did not find the nodes in sync, this screen goes on looking, and changes by itself when the peer comes.",
		"The old file is kept, the new one is written, the daemon is restarted, and then looked at: is it bound, does the peer send, does the peer hear this node?",
		"If a step fails, the old file and the old service state are restored; that is checked and reported too.",
		"ctrl+c before the write leaves no trace. After it, the change is completed or rolled back in any case; only the wait for the peer is cut short.",
	}
}
