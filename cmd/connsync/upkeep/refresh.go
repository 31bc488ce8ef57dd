package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/refresh"
	"connsync/conntrackd/typed"
	"connsync/node"
	"connsync/node/report"
	"connsync/plural"
)

const refreshHelp = `refresh keeps the connections that are in use here alive on the peer. With the
states in the kernel (DisableExternalCache on), the peer's kernel sees none of their
packets and expires their entries: a packet that changes no state is not replicated.
refresh finds the entries whose lifetime was renewed by packets on this node, and
makes the kernel report them again; conntrackd sends them. Entries that are idle, that
have ended, or that only the peer uses are not touched.

With --every it also tells the peer twice a minute what this node holds of the peer's
connections, and records the verdict (connsync events), with the external cache too. So
connsync status on the peer can say how many of its connections would survive.

Without --every it watches for three seconds, refreshes what was used and ends. With
--every it runs until it is stopped; auto is a quarter of the shortest lifetime that
this kernel gives an entry in use (net.netfilter.nf_conntrack_*_timeout*), between 1 s
and 1 min. With the states in the external cache, no entry needs a refresh, and it only
reports. A save with --prepare-host makes it run at boot.

Exit status: 0 done, 1 failed, 64 wrong usage.`

// refreshFlags are those of one call.
type refreshFlags struct {
	every                          string
	background, whileRunning, stop bool
	asJSON                         bool
}

// Host is what the program lends its commands.
type Host struct {
	Out     io.Writer
	Options *node.Options // read when a command runs
	// Open finds the node and repairs a save that was interrupted.
	Open      func(context.Context) (*node.Node, error)
	PrintJSON func(any) error
	Usage     func(error) error // the error of a wrong use
	Failed    func() error      // the error where all was said
	Unknown   func() error      // the error of what could not be told, where all was said
}

// NewRefresh returns the command refresh.
func NewRefresh(h Host) *cobra.Command {
	var f refreshFlags
	cmd := &cobra.Command{
		Use:     "refresh",
		Short:   "Keep connections in use alive on the peer",
		Long:    refreshHelp,
		Example: "  connsync refresh\n  connsync refresh --every auto --background\n  connsync refresh --stop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := *h.Options
			if err := hostfile.Absolute(&o.Config, &o.RuntimeDir, &o.StateDir); err != nil {
				return err
			}
			every, err := f.interval()
			switch {
			case f.every == "" && cmd.Flags().Changed("every"):
				return h.Usage(errors.New("--every has no value; give auto, or a duration such as 10s"))
			case err != nil:
				return h.Usage(err)
			case f.stop:
				return refresh.Stop(cmd.Context(), o.RuntimeDir)
			case f.background:
				return startInBackground(cmd.Context(), o, f)
			case f.every != "":
				return keep(cmd.Context(), h.Out, o, f, every)
			}
			return h.once(cmd.Context(), f.asJSON)
		},
	}
	cmd.Flags().StringVar(&f.every, "every", "", "keep running, and refresh at this `interval`, such as 10s, or auto")
	cmd.Flags().BoolVar(&f.background, "background", false, "with --every: run in the background, and return when it has started")
	cmd.Flags().BoolVar(&f.whileRunning, "while-running", false, "with --every: end a minute after conntrackd")
	cmd.Flags().BoolVar(&f.stop, "stop", false, "stop the refresh that runs on this node")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON; cannot be combined with --every")
	return cmd
}

// interval is that of --every, zero for auto.
func (f refreshFlags) interval() (time.Duration, error) {
	switch {
	case f.stop && (f.every != "" || f.background || f.whileRunning):
		return 0, errors.New("--stop cannot be combined with other flags of refresh")
	case f.every == "" && (f.background || f.whileRunning):
		return 0, errors.New("--background and --while-running need --every")
	case f.every != "" && f.asJSON:
		return 0, errors.New("--json cannot be combined with --every")
	case f.every == "" || f.every == "auto":
		return 0, nil
	}
	d, err := time.ParseDuration(f.every)
	if err != nil || d < refresh.MinInterval {
		return 0, fmt.Errorf("--every %s is invalid: it must be auto, or a duration of at least %v, such as 10s", typed.Show(f.every), refresh.MinInterval)
	}
	return d, nil
}

func startInBackground(ctx context.Context, o node.Options, f refreshFlags) error {
	c := refresh.Command{Config: o.Config, RuntimeDir: o.RuntimeDir, StateDir: o.StateDir, RunBy: o.RunBy, Every: f.every, WhileRunning: f.whileRunning}
	return refresh.Start(ctx, o.RuntimeDir, o.Program, c.Arguments()...)
}

func keep(ctx context.Context, out io.Writer, o node.Options, f refreshFlags, every time.Duration) error {
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, line)
	}
	reporter := report.Reporter{Options: o, Say: say}
	k := &refresh.Keeper{
		Config: o.Config, RuntimeDir: o.RuntimeDir, Every: every, WhileRunning: f.whileRunning,
		SocketPath: o.ControlSocket(), Say: say, Beside: reporter.Run,
	}
	return k.Run(ctx)
}

// watched is how long one look without --every takes.
const watched = 3 * time.Second

// refreshed is what refresh --json prints.
type refreshed struct {
	Entries   int `json:"entries"`   // in this node's table
	Used      int `json:"used"`      // within three seconds
	Refreshed int `json:"refreshed"` // of those; the others have ended meanwhile
}

func (h Host) once(ctx context.Context, asJSON bool) error {
	r, err := refresh.New()
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Look(ctx, watched); err != nil {
		return err
	}
	if err := r.Await(ctx, watched); err != nil {
		return err
	}
	// What the peer was told is not known, so that all that was used is due. There
	// is no hurry: nobody looks again.
	round, err := r.Look(ctx, refresh.MaxInterval)
	if err != nil {
		return err
	}
	if asJSON {
		return h.PrintJSON(refreshed{round.Entries, round.Due, round.Refreshed})
	}
	_, err = fmt.Fprintf(h.Out, "Refreshed %d of %s: those that packets used within %v.\n", round.Refreshed, plural.Of(round.Entries, "entry", "entries"), watched)
	return err
}
