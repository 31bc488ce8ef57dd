package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/apply"
	"connsync/node"
	"connsync/shell"
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
	line, ok := s.line()
	if !ok {
		return &exitError{exitUsage, errors.New(needsTerminal(first, g.called()) + ", which asks line by line, or connsync show, check, apply or status (see connsync --help)")}
	}
	line.Restrict(g.ascii, g.noColor)
	if line.Kind() == console.Dumb {
		again := g.called().Command()
		if first != nil {
			again = g.called().Command("setup")
		}
		return runLines(ctx, s, g, first, "Line mode, because TERM does not describe a terminal that can place the cursor. If yours can: TERM=vt100 "+again)
	}
	if !console.Guarded() {
		return s.guarded(line, g.StateDir)
	}
	console.QuickStart()
	ctx, end := context.WithCancel(ctx) // and with the screen all that goes on for it
	defer end()
	c, err := findCLI(ctx, g)
	if err != nil {
		return err
	}
	repaired := c.repaired(ctx)
	options, effects, err := c.formOptions(ctx)
	if err != nil {
		return err
	}
	options.Notice = cmp.Or(repaired, options.Notice)
	if first != nil {
		if err := first.options(&options, effects); err != nil {
			return err
		}
	}
	if line.ASCII() {
		options.Glyphs = tui.ASCIIGlyphs()
	}
	options.Theme = tui.ThemeOf(line.Profile() != colorprofile.ASCII, line.Kind() == console.Rich)
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

// guarded runs the screens under [console.Line.Guard]; the history is in stateDir.
func (s streams) guarded(line *console.Line, stateDir string) error {
	status, err := line.Guard(s.signals, cleaned{s.err})
	switch {
	case err == nil && status.Signaled():
		s.hangUp() // on a stopped line it is said to nobody
		return &exitError{128 + int(status.Signal()), endedBy(status.Signal(), stateDir)}
	case err == nil && status.ExitStatus() != exitDone:
		return &exitError{status.ExitStatus(), nil} // it has been said
	}
	return err
}

// endedBy names the signal that has ended the screens, and says what becomes of a save
// that it has interrupted.
func endedBy(signal syscall.Signal, stateDir string) error {
	name := unix.SignalName(signal)
	saves, err := apply.OpenHistory(stateDir).Entries()
	if err == nil && slices.ContainsFunc(saves, func(e apply.Entry) bool { return e.Outcome == apply.EntryPending }) {
		return fmt.Errorf("ended by %s; the next start completes or rolls back the save that it interrupted", name)
	}
	return fmt.Errorf("ended by %s", name)
}

func needsTerminal(first *firstSetup, called shell.Program) string {
	name, command := "the form", called.Command("--plain")
	if first != nil {
		name, command = "the setup", called.Command("setup", "--plain")
	}
	return name + " needs a terminal for input and output; without one use " + command
}

// line is the terminal that input and output are on; ok is false where they are not.
func (s streams) line() (line *console.Line, ok bool) {
	out, ok := s.screen()
	if !ok || !isTerminal(s.in) || !isTerminal(out) {
		return nil, false
	}
	return console.Open(s.in, out, s.environ), true
}

func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(f.Fd()) }

func (c *cli) formOptions(ctx context.Context) (tui.Options, effects, error) {
	appliance, err := c.Appliance()
	if err != nil {
		return tui.Options{}, effects{}, err
	}
	reason := appliance.Reason()
	saved, err := c.LoadForChange(ctx)
	var broken *node.BrokenFileError
	switch {
	case errors.As(err, &broken):
		reason = cmp.Or(reason, broken.Error())
	case err != nil:
		return tui.Options{}, effects{}, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = ""
	}
	e := effects{node.NewSession(ctx, c.Node, saved)}
	o := tui.Options{
		Context: ctx, Table: c.Table(c.table), Saved: saved.Settings, StateUnknown: saved.StateErr != nil || c.Unmanaged(), Unmanaged: c.Unmanaged(), HalfEnabled: saved.HalfEnabled(), ForeignFile: saved.ForeignFile() != "", Hostname: hostname, Called: c.Called, Config: c.Config, Gate: reason, StillEnabled: reason != "" && saved.SyncOn(),
		Glyphs:  tui.UnicodeGlyphs(),
		Effects: tui.Effects{Interfaces: e, Neighbours: e, Planner: e, Linker: e, Reviewer: e, File: e, Applier: e, Observer: e, Events: e, Operator: e, History: e},
	}
	o.ReadOnly = c.ReadOnly()
	if crashed := saved.Crashed(c.Called); crashed != "" && reason == "" {
		o.Notice = crashed + "."
	}
	return o, e, nil
}
