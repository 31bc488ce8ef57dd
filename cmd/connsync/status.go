package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/typed"
	"connsync/tui/text"
)

type statusFlags struct {
	asJSON, watch, prove bool
	format, output       string
	within               time.Duration
}

const statusHelp = `status watches the daemon and the sync link for a moment and says whether the
nodes sync. "In sync" is said only when both directions were seen.

With --watch it prints a line whenever something changes, until you interrupt it.

With --prove it proves the sync with test entries. %s:
each adds a short-lived entry, with addresses reserved for documentation, to its
connection table and watches the other node's entry arrive and expire. Both tell each
other how many connections they hold.

With --format openmetrics it prints metrics for the textfile collector of
node_exporter, in any state, and tells the peer what is here; --output replaces a file
atomically, so that no reader sees half of it.

Exit status: 0 in sync both ways, 1 degraded, out of place (this appliance is no link
load balancer) or in sync with a refresh that has stopped, 2 stopped or unknown, 64
wrong usage.`

// proveOnBoth says how a proof is run.
const proveOnBoth = "run it on both nodes at the same time"

func newStatus(s streams, g *globals) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show in one sentence whether the two nodes sync",
		Example: "  connsync status\n  connsync status --watch\n  connsync status --prove --within 90s",
		Long:    fmt.Sprintf(statusHelp, text.Capital(proveOnBoth)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags().Changed); err != nil {
				return &exitError{exitUsage, err}
			}
			err := f.run(cmd.Context(), s, *g)
			var exit *exitError
			if err != nil && !errors.As(err, &exit) {
				err = &exitError{exitUnknown, err} // which is no verdict
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", formatText, "text, json, or openmetrics for node_exporter's textfile collector")
	flags.StringVar(&f.output, "output", "", "write to this `file` instead of printing; it is replaced atomically")
	flags.BoolVar(&f.asJSON, "json", false, "the same as --format json; with --watch one object a line")
	flags.BoolVar(&f.watch, "watch", false, "keep running, and print a line when something changes")
	flags.BoolVar(&f.prove, "prove", false, "prove the sync with a test entry; "+proveOnBoth)
	flags.DurationVar(&f.within, "within", time.Minute, "how long --prove waits for the other node, such as 90s")
	return cmd
}

// leastWithin is how long a proof takes to see that conntrackd passes over a
// state.
const leastWithin = 2 * time.Second

// The formats of status.
const (
	formatText    = "text"
	formatJSON    = "json"
	formatMetrics = "openmetrics"
)

// check refuses flags that do not go together, and joins --json and --format.
func (f *statusFlags) check(changed func(flag string) bool) error {
	switch {
	case f.watch && f.prove:
		return errors.New("--watch and --prove cannot be combined")
	case changed("within") && !f.prove:
		return errors.New("--within needs --prove: it is how long --prove waits")
	case f.within < leastWithin:
		return fmt.Errorf("--within must be at least %v, such as 60s", leastWithin)
	case f.format != formatText && f.format != formatJSON && f.format != formatMetrics:
		return fmt.Errorf("--format must be %s, %s or %s, not %s", formatText, formatJSON, formatMetrics, typed.Show(f.format))
	case f.asJSON && changed("format") && f.format != formatJSON:
		return fmt.Errorf("--json and --format %s cannot be combined", f.format)
	case f.format == formatMetrics && (f.watch || f.prove):
		return errors.New("--format openmetrics cannot be combined with --watch or --prove")
	case changed("output") && f.output == "":
		return errors.New("--output has no value")
	case f.output != "" && (f.watch || f.prove):
		return errors.New("--output cannot be combined with --watch or --prove")
	}
	f.asJSON = f.asJSON || f.format == formatJSON
	return nil
}

func (f statusFlags) run(ctx context.Context, s streams, g globals) error {
	if f.format == formatMetrics {
		return printMetrics(ctx, s, g, f.output)
	}
	c, err := openNode(ctx, g)
	if err != nil {
		return err
	}
	if c.Unmanaged() {
		return errUnmanaged()
	}
	return c.status(ctx, s, f)
}

func (c *cli) status(ctx context.Context, s streams, f statusFlags) error {
	saved, err := c.Load(ctx)
	if err != nil {
		return err
	}
	out := c.OutOfPlace(saved)
	if out != "" && (f.watch || f.prove) {
		c.tellOutOfPlace(errors.New(out))
	}
	if f.watch {
		return c.watch(ctx, s.out, f.asJSON)
	}
	o := c.Observer(saved)
	_ = o.Start(ctx) // without it the verdict says less, and says so
	health := o.Settle(ctx)
	if f.prove {
		return prove(ctx, s.out, o, health, f)
	}
	refreshed := c.RefreshReport(saved.Settings)
	err = printTo(s.out, f.output, func(w io.Writer) error {
		if f.asJSON {
			report := c.statusOf(health, saved.Settings)
			report.OutOfPlace = out
			return printJSON(w, report)
		}
		lines := text.StatusPage(health, c.table, saved.Settings, refreshed)
		if note := text.ServiceNote(health); note != "" {
			lines = append(lines, note)
		}
		if out != "" {
			lines = append(lines, text.OutOfPlace(out))
		}
		return sayLines(w, lines)
	})
	if err == nil {
		err = healthError(health.Verdict)
	}
	if err == nil && (out != "" || refreshed.Stopped()) {
		err = &exitError{exitRefused, nil} // both ways, where there should be none, or connections expire on the peer
	}
	return err
}

func healthError(v health.Verdict) error {
	switch v {
	case health.VerdictTwoWay:
		return nil
	case health.VerdictStopped, health.VerdictUnknown:
		return &exitError{exitUnknown, nil}
	}
	return &exitError{exitRefused, nil}
}

// reported is what status --json prints.
type reported struct {
	Time          time.Time      `json:"time"`
	Verdict       health.Verdict `json:"verdict"`
	Cause         string         `json:"cause"`
	Remedy        string         `json:"remedy"`
	Next          string         `json:"next"`            // Remedy under its name of 1.0
	Since         *time.Time     `json:"since,omitempty"` // when the daemon was started
	AtBoot        *bool          `json:"at_boot"`
	Interface     string         `json:"interface"`
	Device        string         `json:"device"` // Interface under its name of 1.0
	Link          string         `json:"link"`
	Links         []health.Link  `json:"links"` // of the file, in its order
	PacketsSent   uint64         `json:"packets_sent"`
	PacketsRecv   uint64         `json:"packets_received"`
	SendErrors    uint64         `json:"send_errors"`
	ErrorsSent    uint64         `json:"errors_sent"` // SendErrors under its name of 1.0
	Lost          uint64         `json:"lost"`
	Malformed     uint64         `json:"malformed"`
	Overruns      uint64         `json:"netlink_overruns"`
	CacheFull     uint64         `json:"cache_full"`
	NoSpace       uint64         `json:"no_space"` // CacheFull under its name of 1.0
	Drops         uint64         `json:"receive_buffer_drops"`
	Internal      uint64         `json:"states_here"`
	External      uint64         `json:"states_from_peer"`
	InKernel      *int           `json:"connections_in_kernel"` // this node's and the peer's; null where they were not counted
	Injected      uint64         `json:"peer_states_written"`   // into the kernel: new ones and updates
	Refused       uint64         `json:"peer_states_refused"`   // by the kernel or the external cache, since the start
	IntoKernel    *int           `json:"states_into_kernel"`    // connections_in_kernel under its name of 1.0
	ResendQueue   uint64         `json:"resend_queue"`
	Bound         bool           `json:"bound"`
	Address       string         `json:"address"`
	SendBuffer    int            `json:"send_buffer_in_force"`
	ReceiveBuffer int            `json:"receive_buffer_in_force"`
	SendAsked     int            `json:"send_buffer"`
	ReceiveAsked  int            `json:"receive_buffer"`
	OutOfPlace    string         `json:"out_of_place,omitempty"` // why there should be no sync here

	OnPeer   *text.PeerReport `json:"on_peer"`            // null where the peer has not told
	Coverage *coverage.Report `json:"coverage,omitempty"` // of the connections
	text.PairReport
}

func (c *cli) statusOf(h health.Health, s conntrackd.Settings) reported {
	r := reported{
		Time: h.Time, Verdict: h.Verdict, AtBoot: h.Service.AtBoot(), Cause: h.Cause, Remedy: h.Next, Next: h.Next, Interface: h.Device, Device: h.Device, Link: h.Link, Links: append([]health.Link{}, h.Links...),
		PacketsSent: h.PacketsSent, PacketsRecv: h.PacketsRecv, SendErrors: h.ErrorsSent, ErrorsSent: h.ErrorsSent,
		Lost: h.Lost, Malformed: h.Malformed, Overruns: h.Overruns, CacheFull: h.NoSpace, NoSpace: h.NoSpace, Drops: h.Sockets.Drops,
		Internal: h.Internal, External: h.External, Injected: h.Injected, Refused: h.InjectFailed + h.ExternalNoSpace, ResendQueue: h.ResendQueue,
		Bound: h.Sockets.Bound, Address: h.Sockets.Address, SendBuffer: h.Sockets.SendBuffer, ReceiveBuffer: h.Sockets.ReceiveBuffer,
		SendAsked: max(s.SendBuffer, 0), ReceiveAsked: max(s.ReceiveBuffer, 0),
		Coverage: coverage.NewReport(h.Coverage, h.CoverageErr), OnPeer: text.NewPeerReport(h.Holding),
		PairReport: text.NewPairReport(h, c.table, s, c.RefreshReport(s)),
	}
	if h.Coverage != nil {
		here := h.Coverage.Here()
		r.InKernel, r.IntoKernel = &here, &here
	}
	if r.Time.IsZero() {
		r.Time = time.Now() // nothing was read from the daemon
	}
	if !h.Service.Since.IsZero() {
		r.Since = &h.Service.Since
	}
	return r
}
