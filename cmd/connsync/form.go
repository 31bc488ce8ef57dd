package main

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/tui"
	"connsync/tui/console"
)

// runForm opens the form on the terminal, or talks line by line where the
// operator or the terminal wants that.
func runForm(ctx context.Context, s streams, g globals) error { return runScreens(ctx, s, g, nil) }

// runScreens is runForm, or a first setup; nil is the form.
func runScreens(ctx context.Context, s streams, g globals, first *firstSetup) error {
	if g.plain {
		return runLines(ctx, s, g, first, "")
	}
	out, ok := s.screen()
	if !ok || !isTerminal(s.in) || !isTerminal(out) {
		return &exitError{exitUsage, errors.New(nameOfScreens(first) + " needs a terminal for input and output; without one use connsync show, check, apply or status (see connsync --help)")}
	}
	line := console.Open(s.in, out, s.environ)
	line.Restrict(g.ascii, g.noColor)
	if line.Kind() == console.Dumb {
		return runLines(ctx, s, g, first, "Line mode, since TERM does not say that this terminal can place the cursor. If it can: TERM=vt100 connsync")
	}
	ctx, end := context.WithCancel(ctx) // and with the screen all that goes on for it
	defer end()
	n, err := findNode(ctx, g)
	if err != nil {
		return err
	}
	repaired := n.repair(ctx)
	options, effects, err := n.formOptions(ctx)
	if err != nil {
		return err
	}
	options.Notice = cmp.Or(repaired, options.Notice)
	if first != nil {
		if err := first.options(&options, effects, effects.fresh); err != nil {
			return err
		}
	}
	if line.ASCII() {
		options.Glyphs = tui.ASCIIGlyphs()
	}
	if line.Profile() != colorprofile.ASCII {
		options.Theme = tui.ColourTheme()
	}
	typed, err := line.FindSize()
	if err != nil {
		return err
	}
	_, err = line.Run(ctx, s.staged(tui.New(options)), typed)
	byKey := ctx.Err() == nil
	end()
	effects.finish(byKey, g.err)
	if errors.Is(err, console.ErrLineLost) {
		return &exitError{exitRefused, nil}
	}
	return err
}

func nameOfScreens(first *firstSetup) string {
	if first != nil {
		return "the setup"
	}
	return "the form"
}

func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(f.Fd()) }

func (n *node) formOptions(ctx context.Context) (tui.Options, *effects, error) {
	appliance, err := n.appliance()
	if err != nil {
		return tui.Options{}, nil, err
	}
	reason := appliance.reason()
	saved, err := n.load(ctx)
	var broken *brokenFileError
	switch {
	case errors.As(err, &broken):
		reason = cmp.Or(reason, broken.Error())
	case err != nil:
		return tui.Options{}, nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = ""
	}
	e := &effects{ctx: ctx, node: n, base: saved.content, fresh: saved.none != "", lookout: &lookout{ctx: ctx, node: n}}
	o := tui.Options{
		Context: ctx, Saved: saved.settings, Unseen: saved.unseen != nil || n.unmanaged(), Unmanaged: n.unmanaged(), Half: saved.half(), Foreign: saved.foreign() != "", Hostname: hostname, Config: n.config, Gate: reason, Leftover: reason != "" && saved.on(),
		Glyphs: tui.UnicodeGlyphs(), Theme: tui.PlainTheme(),
		Effects: tui.Effects{Interfaces: e, Neighbours: e, Planner: e, Reviewer: e, Applier: e, Observer: e, Operator: e, History: e},
	}
	if dead := saved.dead(); dead != "" && reason == "" {
		o.Notice = dead + "."
	}
	return o, e, nil
}

// effects is what the screens can do to this host.
type effects struct {
	ctx     context.Context
	node    *node
	running sync.WaitGroup
	fresh   bool   // nothing is set
	saved   func() // is told of a save that enables the sync; nil where nobody is

	lookout *lookout

	mu   sync.Mutex
	base []byte // the file that the form was filled from
}

func (e *effects) Watch(ctx context.Context) (<-chan []netcheck.Interface, error) {
	return netcheck.Watch(ctx)
}

func (e *effects) Neighbours(ctx context.Context, ifindex int) ([]netip.Addr, error) {
	return netcheck.Neighbours(ctx, ifindex)
}

// Plan asks the service, which is quick or given up on: a daemon of ours may
// have started since the last time.
func (e *effects) Plan(s conntrackd.Settings, firstNode bool) []netcheck.Check {
	ctx, cancel := context.WithTimeout(e.ctx, time.Second)
	defer cancel()
	return e.node.plan(ctx, s, firstNode)
}

func (e *effects) Review(ctx context.Context, s conntrackd.Settings) (tui.Review, error) {
	saved, err := e.node.load(ctx)
	if err != nil {
		return tui.Review{}, err
	}
	if err := e.stale(saved.content); err != nil {
		return tui.Review{}, err
	}
	return e.node.review(ctx, saved, s, true)
}

func (e *effects) Observe(ctx context.Context) (conntrackd.Health, error) {
	health, _, err := e.lookout.observe(ctx)
	return health, err
}
