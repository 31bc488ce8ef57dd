package tui

import (
	"context"
	"errors"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/hostfile"
	"connsync/tui/text"
)

// Reviewer works out what a save would do. It changes nothing.
type Reviewer interface {
	// Review's error is a *[hostfile.ChangedError] where the file is not the
	// one that the form was filled from.
	//
	// With firewall the save adds connsync's rules to the firewall's too.
	Review(ctx context.Context, s conntrackd.Settings, firewall bool) (apply.Review, error)
	// Reread returns the settings that are saved now, for the form.
	Reread(ctx context.Context) (conntrackd.Settings, error)
}

// reviewMade is the answer of the Reviewer.
type reviewMade struct {
	run    *run
	review apply.Review
	diff   string // of the file, unified
	err    error
}

// reread is the answer of the Reviewer about what is saved now.
type reread struct {
	run      *run
	settings conntrackd.Settings
	err      error
}

type reviewState int

const (
	reviewLoading reviewState = iota
	reviewReady
	reviewFailed
)

// reviewItem is what can have the focus.
type reviewItem int

const (
	itemAgree reviewItem = iota
	itemHost
	itemApply
	itemStatus
	itemRetry
	itemReread
	itemBack
)

// review shows what a change means, the change of the file and the commands
// before anything happens. It starts on Apply, and on Back where something would be
// lost or is warned of.
type review struct {
	env *env
	reviewWanted
	hook   hookOffer
	undoes *apply.Entry // the save to roll back; nil where settings are to be saved

	state  reviewState
	run    *run
	cancel context.CancelFunc
	review apply.Review
	diff   string
	err    error
	grace  grace
	work   work
	agreed bool
	focus  reviewItem

	width, height int
	text          []string // all that can be scrolled, laid out for width
	top           int
}

var reviewKeys = struct{ next, prev, press, agree, host, hook, up, down, pageUp, pageDown, back key.Binding }{
	press:    bind("enter", "choose", "enter"),
	next:     bind("tab", "next", "tab", "right"),
	prev:     bind("shift+tab", "", "shift+tab", "left"),
	agree:    bind("a", "agree", "a"),
	host:     bind("h", "host", "h"),
	hook:     bind("e", "external cache", "e"),
	up:       bind("up", "", "up", "k"),
	down:     bind("up/down", "scroll", "down", "j"),
	pageUp:   bind("pgup", "", "pgup", "b"),
	pageDown: bind("pgdn", "", "pgdown", "space"),
	back:     bind("esc", "back", "esc", "q"),
}

// newReview returns the screen; start asks the Reviewer.
func newReview(e *env, o reviewWanted) *review {
	return &review{env: e, reviewWanted: o, cancel: func() {}}
}

func (r *review) start() tea.Cmd {
	r.cancel()
	ctx, cancel := context.WithCancel(r.env.ctx)
	current, making := newRun(r.run), r.making()
	r.state, r.run, r.cancel = reviewLoading, current, cancel
	r.agreed, r.grace, r.top = false, grace{}, 0
	return tea.Batch(func() tea.Msg {
		defer cancel()
		if making == nil {
			return reviewMade{run: current, err: errNoEffect}
		}
		made, err := making(ctx)
		return reviewMade{current, made, made.Diff(), err}
	}, r.work.start(r.env.glyphs))
}

// making makes the review; nil where this host has no such effect.
func (r *review) making() func(context.Context) (apply.Review, error) {
	reviewer, from, settings, firewall := r.env.effects.Reviewer, r.env.effects.History, r.settings, r.firewall
	switch {
	case r.undoes != nil && from != nil:
		undoes := *r.undoes
		return func(ctx context.Context) (apply.Review, error) { return from.Undo(ctx, undoes) }
	case r.undoes == nil && reviewer != nil:
		return func(ctx context.Context) (apply.Review, error) { return reviewer.Review(ctx, settings, firewall) }
	}
	return nil
}

// newUndo is the review of taking a save back.
func newUndo(e *env, undoes apply.Entry) *review {
	return &review{env: e, undoes: &undoes, cancel: func() {}}
}

// rereading asks for what is saved now.
func (r *review) rereading() tea.Cmd {
	r.cancel()
	ctx, cancel := context.WithCancel(r.env.ctx)
	current, reviewer := newRun(r.run), r.env.effects.Reviewer
	r.state, r.run, r.cancel = reviewLoading, current, cancel
	return func() tea.Msg {
		defer cancel()
		settings, err := reviewer.Reread(ctx)
		return reread{current, settings, err}
	}
}

// foreign is the change that someone else made; nil where that is not what
// is in the way.
func (r *review) foreign() *hostfile.ChangedError {
	var changed *hostfile.ChangedError
	if r.state != reviewFailed || !errors.As(r.err, &changed) {
		return nil
	}
	return changed
}

// close drops what is still being worked out.
func (r *review) close() {
	r.cancel()
	r.work.stop()
}

func (r *review) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case reviewMade:
		if msg.run == r.run && r.state == reviewLoading {
			return nil, r.take(msg)
		}
	case reread:
		switch {
		case msg.run != r.run:
		case msg.err != nil:
			return nil, r.take(reviewMade{run: msg.run, err: msg.err})
		default:
			saved := settingsSaved{settings: msg.settings, reread: true}
			return formWanted{}, func() tea.Msg { return saved }
		}
	case graceEnded:
		r.grace.end(msg)
	case tea.KeyPressMsg:
		return r.press(msg)
	default:
		return nil, r.work.update(msg)
	}
	return nil, nil
}

func (r *review) take(msg reviewMade) tea.Cmd {
	r.review, r.diff, r.err = msg.review, msg.diff, msg.err
	r.review.FirstNode = r.firstNode
	r.review.PrepareHost = r.review.PrepareHost && !r.leavesHost
	r.work.stop()
	r.hook.take(&r.review)
	if r.undoes != nil && msg.review.Candidate != nil {
		r.settings = msg.review.Candidate.Settings
	}
	switch {
	case msg.err != nil:
		r.state, r.focus = reviewFailed, itemBack
	case msg.review.Unchanged:
		r.state, r.focus = reviewReady, itemStatus
	case len(msg.review.Replaced()) > 0, len(r.warnings) > 0, r.change().Consequence.Warns:
		r.state, r.focus = reviewReady, itemBack
	default:
		r.state, r.focus = reviewReady, itemApply
	}
	r.layOut()
	return r.grace.start()
}

func (r *review) press(msg tea.KeyPressMsg) (outcome, tea.Cmd) {
	k := reviewKeys
	switch {
	case key.Matches(msg, k.back):
		return closed{}, nil
	case key.Matches(msg, k.up):
		r.scroll(-1)
	case key.Matches(msg, k.down):
		r.scroll(1)
	case key.Matches(msg, k.pageUp):
		r.scroll(-r.textHeight())
	case key.Matches(msg, k.next):
		r.step(1)
	case key.Matches(msg, k.prev):
		r.step(-1)
	case !r.grace.over && r.state != reviewLoading && key.Matches(msg, k.press, k.agree, k.host, k.hook, k.pageDown):
		// What was typed ahead is no agreement to what just appeared.
		return nil, r.grace.ignore()
	case !r.grace.over:
	case key.Matches(msg, k.agree) && len(r.review.Replaced()) > 0:
		r.agreed = !r.agreed
	case key.Matches(msg, k.host) && r.preparable():
		r.decideHost()
	case key.Matches(msg, k.hook) && r.hook.there:
		return nil, r.decideHook()
	case key.Matches(msg, k.pageDown) && r.focus == itemAgree && msg.String() == "space":
		r.agreed = !r.agreed
	case key.Matches(msg, k.pageDown) && r.focus == itemHost && msg.String() == "space":
		r.decideHost()
	case key.Matches(msg, k.pageDown):
		r.scroll(r.textHeight())
	case key.Matches(msg, k.press):
		return r.choose()
	}
	return nil, nil
}

func (r *review) choose() (outcome, tea.Cmd) {
	if r.state == reviewLoading {
		return nil, nil
	}
	switch r.focus {
	case itemAgree:
		r.agreed = !r.agreed
	case itemHost:
		r.decideHost()
	case itemApply:
		if r.blocked() == "" {
			return applyWanted{settings: r.settings, review: r.review, path: r.steps()}, nil
		}
	case itemStatus:
		return statusWanted{}, nil
	case itemRetry:
		return nil, r.start()
	case itemReread:
		return nil, r.rereading()
	case itemBack:
		return closed{}, nil
	}
	return nil, nil
}

// blocked is why Apply does nothing yet; blank when it works.
func (r *review) blocked() string {
	if len(r.review.Replaced()) > 0 && !r.agreed {
		return "Apply needs your agreement above."
	}
	if r.review.OnlyHost && !r.review.PrepareHost {
		return "Nothing else is to be done."
	}
	if r.hook.accepted && !r.review.PrepareHost {
		return "The hook is part of preparing the host (h)."
	}
	return ""
}

// items are what can have the focus, in order.
func (r *review) items() []reviewItem {
	switch {
	case r.state == reviewLoading:
		return nil
	case r.foreign() != nil:
		return []reviewItem{itemReread, itemBack}
	case r.state == reviewFailed:
		return []reviewItem{itemRetry, itemBack}
	case r.review.Unchanged:
		return []reviewItem{itemStatus, itemBack}
	}
	var items []reviewItem
	if len(r.review.Replaced()) > 0 {
		items = append(items, itemAgree)
	}
	if r.preparable() {
		items = append(items, itemHost)
	}
	return append(items, itemApply, itemBack)
}

// step moves the focus round.
func (r *review) step(by int) {
	items := r.items()
	for i, item := range items {
		if item == r.focus {
			r.focus = items[(i+by+len(items))%len(items)]
			return
		}
	}
}

func (r *review) scroll(by int) {
	r.top = clampTop(max(r.top+by, 0), len(r.text), r.textHeight())
}

func (r *review) help() []key.Binding {
	k := reviewKeys
	k.agree.SetEnabled(r.state == reviewReady && len(r.review.Replaced()) > 0)
	k.host.SetEnabled(r.state == reviewReady && r.preparable())
	k.hook.SetEnabled(r.state == reviewReady && r.hook.there)
	k.press.SetEnabled(r.state != reviewLoading)
	k.next.SetEnabled(r.state != reviewLoading)
	k.down.SetEnabled(len(r.text) > r.textHeight())
	return []key.Binding{k.press, k.next, k.agree, k.host, k.hook, k.down, k.back}
}

func (r *review) title() string { return path(r.width, "review", r.steps()...) }

// steps are those of the way that led here.
func (r *review) steps() []string {
	if r.checked {
		return []string{"checks", "review", "apply"}
	}
	return []string{"review", "apply"}
}

func (r *review) explain() (title string, lines []string) {
	lines = []string{
		"The first sentence says what the change means; where it is a warning, Apply is not chosen by itself.",
		"What a save would do; " + nothingYet + ". Lines with + are added to the file, lines with - are removed, all others stay as they are, byte for byte.",
		"Apply keeps a copy of the old file, writes the new one, restarts the daemon and checks whether it works. If it does not, the save is rolled back.",
		"Host: settings of this host that break sync, which the save fixes. Each item is recorded first, and " + text.Clean(r.env.called.Command("unprepare")) + " undoes it.",
	}
	if r.hook.there {
		lines = append(lines, hookHelp)
	}
	return "Help: review", lines
}

// preparable says whether there is anything to decide about the host.
func (r *review) preparable() bool { return len(r.review.Preparation.Missing()) > 0 }

// decideHost turns the preparation on or off.
func (r *review) decideHost() {
	r.review.PrepareHost = !r.review.PrepareHost
	r.leavesHost = !r.review.PrepareHost
	r.layOut()
}

// hostDecision is the line that stays in sight.
func (r *review) hostDecision() []string {
	box := "[ ] h  "
	if r.review.PrepareHost {
		box = "[x] h  "
	}
	focus := r.focus == itemHost
	lines := r.env.focused(focus, r.width, hang(text.HostChoice(len(r.review.Preparation.Missing()), r.env.called), " "+r.env.mark(focus)+box, r.width)...)
	if r.review.OnlyHost && !r.review.PrepareHost && r.focus == itemApply {
		lines = append(lines, "   "+r.blocked())
	}
	return lines
}
