package tui

import (
	"context"
	"time"

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
	// goes on until the change is finished or taken back, and only the wait
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

// applySettled tells that the grace period after the end is over.
type applySettled struct{ run *run }

// saving shows the steps of a save as they happen, then how it ended and what
// to type at the other node.
type saving struct {
	env      *env
	settings conntrackd.Settings
	review   apply.Review
	run      *run
	cancel   context.CancelFunc
	steps    []step.Step
	ended    bool
	outcome  apply.Outcome
	stopping bool
	settled  bool
	onForm   bool // the focus is on Form, else on Status

	width, height int
	top           int
	scrolled      bool
}

var applyKeys = struct{ press, next, status, form, up, down, stop key.Binding }{
	press:  bind("enter", "choose", "enter"),
	next:   bind("tab", "next", "tab", "shift+tab", "left", "right"),
	status: bind("s", "status", "s"),
	form:   bind("esc", "form", "esc"),
	up:     bind("up", "", "up", "k", "pgup"),
	down:   bind("up/down", "scroll", "down", "j", "pgdown"),
	stop:   bind("ctrl+c", "", "ctrl+c"),
}

// newApply returns the screen; start begins the work.
func newApply(e *env, s conntrackd.Settings, r apply.Review) *saving {
	return &saving{env: e, settings: s, review: r, cancel: func() {}}
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
	return tea.Batch(work, awaitStep(current, steps))
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
func (a *saving) close() { a.cancel() }

func (a *saving) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case stepTaken:
		if msg.run != a.run {
			return nil, nil
		}
		if !a.ended {
			a.steps = withStep(a.steps, msg.step)
			a.follow()
		}
		return nil, awaitStep(msg.run, msg.more)
	case applyEnded:
		if msg.run == a.run {
			return nil, a.end(msg.outcome)
		}
	case applySettled:
		if msg.run == a.run {
			a.settled = true
		}
	case tea.KeyPressMsg:
		return a.press(msg)
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
	a.ended, a.outcome, a.onForm = true, o, o.Err != nil
	a.follow()
	current := a.run
	settle := tea.Tick(dialogGrace, func(time.Time) tea.Msg { return applySettled{current} })
	if o.Err != nil {
		return settle
	}
	saved, noted := settingsSaved{a.settings}, stateNoted{text.ShortVerdict(o.Verdict)}
	tell := []tea.Cmd{func() tea.Msg { return saved }}
	if a.settings.Enabled {
		tell = append(tell, func() tea.Msg { return noted })
	}
	return tea.Batch(settle, tea.Sequence(tell...))
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
	case !a.ended || !a.settled:
		// What was typed ahead must not take the outcome out of sight.
	case key.Matches(msg, k.next):
		a.onForm = !a.onForm
	case key.Matches(msg, k.status), key.Matches(msg, k.press) && !a.onForm:
		return statusWanted{}, nil
	case key.Matches(msg, k.form), key.Matches(msg, k.press):
		return formWanted{}, nil
	}
	return nil, nil
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

func (a *saving) title() string { return "Connection Sync: apply" }

func (a *saving) explain() (title string, lines []string) {
	return "Help: apply", []string{
		"The old file is kept, the new one is written, the daemon is restarted, and then looked at: is it bound, does the peer send, does the peer hear this node?",
		"A step that fails puts the old file and the old service state back; that is looked at and reported too.",
		"ctrl+c before the write leaves no trace. After it, the change is finished or taken back in any case; only the wait for the peer is cut short.",
	}
}
