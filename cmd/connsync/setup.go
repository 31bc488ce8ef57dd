package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/node"
	"connsync/outlet"
	"connsync/tui"
	"connsync/tui/console"
	"connsync/tui/text"
)

const setupHelp = `setup asks for what is not set yet, one question at a time, checks it, shows the
change and saves it; what is already set is shown. If there is no application file,
it first asks what this appliance is. The line that the other node prints (connsync
peer) can be pasted in place of all answers. After the save it waits for the peer, as
long as you like. You can leave at every question; run connsync setup to continue.

At boot, a unit of the package runs it once, before login:
connsync setup --if-needed --console --patience 5m

Exit status: 0 done, or left for later; 1 refused or failed; 64 wrong usage.`

type setupFlags struct {
	ifNeeded, console bool
	patience          time.Duration
}

func newSetup(s streams, g *globals) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:     "setup",
		Short:   "Set up the sync for the first time, one question at a time",
		Long:    setupHelp,
		Example: "  connsync setup",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.patience < 0 {
				return &exitError{exitUsage, errors.New("--patience must be a duration such as 5m, or 0 to wait forever")}
			}
			return runSetup(cmd.Context(), s, *g, f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.ifNeeded, "if-needed", false, "exit at once where the sync is set up, is not offered on this appliance, or was declined or left unanswered before")
	flags.BoolVar(&f.console, "console", false, "use the kernel's consoles instead of this terminal; the one on which Enter is pressed first is used")
	flags.DurationVar(&f.patience, "patience", 0, "exit when no key is pressed for this time, such as `5m`; twelve times as long while waiting for the peer")
	return cmd
}

func runSetup(ctx context.Context, s streams, g globals, f setupFlags) error {
	c, err := openNode(ctx, g)
	if err != nil {
		return err
	}
	if f.ifNeeded && !console.Guarded() {
		if needed, err := c.NeedsSetup(ctx); err != nil || !needed {
			return err
		}
	}
	first := &firstSetup{cli: c, patience: f.patience}
	if f.console && !console.Guarded() { // else this terminal is the one that was found
		kernel, err := console.FindKernel(ctx, f.patience)
		if errors.Is(err, console.ErrNobody) {
			return first.Leave(ctx, tui.Unanswered, nil)
		} else if err != nil {
			return err
		}
		if kernel != nil {
			defer kernel.Close()
			s.in, s.out, s.err = kernel.Terminal, outlet.New(ctx, kernel.Terminal, nil), outlet.New(ctx, kernel.Terminal, nil)
			s.environ = append(slices.Clone(s.environ), "TERM="+kernel.Term)
		}
	}
	err = runScreens(ctx, s, g, first)
	first.tell(s)
	return errors.Join(err, first.failed())
}

// firstSetup is a setup under way, and what it asks of this host.
type firstSetup struct {
	cli      *cli
	patience time.Duration

	mu     sync.Mutex
	stated string // the application that is written down; blank for none
	how    tui.Leaving
	left   bool
	told   bool // how it ended has been said
	err    error
}

// options make a setup of what would be the form.
func (f *firstSetup) options(o *tui.Options, e effects) error {
	a, err := f.cli.Appliance()
	if err != nil {
		return err
	}
	if a.Reason() != "" {
		o.Gate = a.ReasonAndRemedy(f.cli.Called)
	}
	o.Setup = &tui.Setup{Appliance: f, AsksApplication: a.Word == "", Fresh: e.Fresh(), Answers: f.cli.SetupAnswers(), Patience: f.patience}
	e.OnEnable = func() { f.note(node.SetupDone) }
	return nil
}

// State writes the file that says what the appliance is, whole or not at all.
func (f *firstSetup) State(_ context.Context, word string) (string, error) {
	if err := f.cli.WriteApplication(word); err != nil {
		return "", err
	}
	f.mu.Lock()
	f.stated = word
	f.mu.Unlock()
	a, err := f.cli.Appliance()
	return a.ReasonAndRemedy(f.cli.Called), err
}

// Leave keeps what is not to be asked again; what is left for later is, and
// begins with what was answered.
func (f *firstSetup) Leave(_ context.Context, how tui.Leaving, answers conntrackd.Values) error {
	f.mu.Lock()
	f.how, f.left = how, true
	f.mu.Unlock()
	switch how {
	case tui.Never:
		return f.note(node.SetupDeclined)
	case tui.Unanswered:
		return f.note(node.SetupUnanswered)
	}
	return f.keepError("keep the answers of the setup", f.cli.KeepSetupAnswers(answers))
}

func (f *firstSetup) note(how node.SetupEnd) error {
	return f.keepError("note how the setup ended", f.cli.NoteSetup(how))
}

// keepError keeps an error of what, nil for none, until the screen is given back.
func (f *firstSetup) keepError(what string, err error) error {
	if err != nil {
		f.mu.Lock()
		f.err = fmt.Errorf("%s: %w", what, err)
		f.mu.Unlock()
	}
	return err
}

// leftForLater says that nothing was set up and that it is offered again; a nil
// f is no setup.
func (f *firstSetup) leftForLater() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left && f.how == tui.Later
}

func (f *firstSetup) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// tell says, below the screen, how to come back to a setup that was left. The
// line mode has said it.
func (f *firstSetup) tell(s streams) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.left || f.told {
		return
	}
	said := text.NothingSetUp(f.stated, f.cli.Called)
	if f.how != tui.Later {
		said += " It will not be offered at boot again."
	}
	fmt.Fprintln(s.out, said)
}
