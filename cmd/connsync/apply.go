package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/prepare"
	"connsync/conntrackd/step"
	"connsync/netcheck/check"
	"connsync/node"
	"connsync/outlet"
	"connsync/trust"
	"connsync/tui/text"
)

type applyFlags struct {
	settingFlags
	replaceTransport bool
	acceptUnknown    bool
	prepareHost      bool
	keepalivedHook   bool
	dryRun           bool
	asJSON           bool
}

const applyHelp = `apply checks the settings, writes conntrackd.conf, restarts conntrackd and proves
that it is bound and whether the peer is heard. A setting that is not given keeps its
saved value, else its default. If a step fails, the old file and service are restored.
Applying what is in force changes nothing. --dry-run runs the same checks, and exits
with the status with which the save would be refused.

--from takes the settings from a YAML or JSON file with the fields that
"connsync show --json" prints; with -, from standard input. Flags override it.

` + exitStatuses

func newApply(s streams, g *globals) *cobra.Command {
	f := applyFlags{settingFlags: settingFlags{table: g.table}}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Check the settings, save them and restart conntrackd",
		Long:  applyHelp,
		Example: "  connsync apply --enable --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24\n" +
			"  connsync show --json | connsync apply --from - --port 3781",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, s, g) },
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.replaceTransport, "replace-transport", false, "allow the save to replace TCP links, several Multicast links or a hand-made Stats setup in the file")
	flags.BoolVar(&f.acceptUnknown, "accept-unknown", false, "save although a check could not run")
	flags.BoolVar(&f.prepareHost, "prepare-host", true, "fix host settings that break sync (unit, kernel events, logrotate, refresh); undone by connsync unprepare")
	flags.BoolVar(&f.keepalivedHook, "keepalived-hook", false, "write the lines that call connsync failover into keepalived.conf, and reload keepalived; unprepare removes them")
	flags.BoolVar(&f.dryRun, "dry-run", false, dryRunHelp)
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// dryRunHelp is the help of --dry-run where a change is reviewed.
const dryRunHelp = "show the change and the commands; do nothing, and exit with the status that the change would have before it begins"

func (f applyFlags) run(cmd *cobra.Command, s streams, g *globals) error {
	if err := f.readFrom(cmd); err != nil {
		return err
	}
	c, err := openNode(cmd.Context(), *g)
	if err != nil {
		return err
	}
	return c.apply(cmd, s, f)
}

func (c *cli) apply(cmd *cobra.Command, s streams, f applyFlags) error {
	ctx := cmd.Context()
	saved, err := c.loadToApply(cmd, f)
	if err != nil {
		return err
	}
	settings, err := f.settings(cmd, saved)
	if err != nil {
		return err
	}
	if before := saved.Settings; !settings.Enabled && !settings.Complete() {
		if before.Enabled = false; settings != before {
			return refused("incomplete settings cannot be saved: %s; nothing was changed", giveMissing(settings))
		}
	}
	var accepted []prepare.ItemID
	if f.keepalivedHook {
		accepted = append(accepted, prepare.ItemHook)
	}
	review, err := c.Review(ctx, saved, settings, f.prepareHost, accepted...)
	if err != nil {
		return err
	}
	wish := node.HookWish{Role: node.Role(f.role), Write: f.keepalivedHook, Given: f.flagged(cmd, conntrackd.FieldExternalCache)}
	if why := wish.Refusal(review); why != "" {
		return refused("%s; nothing was changed", why)
	}
	// Where the service is left alone nobody knows whether it runs with the file.
	used := settings.Enabled || c.Unmanaged() && !f.statesEnabled() && settings.Complete()
	if f.dryRun {
		return c.rehearseApply(ctx, s.out, f, review, used)
	}
	if err := f.agreed(review); err != nil {
		return err
	}
	if !review.Unchanged && used {
		report := c.check(ctx, s.out, f.asJSON, settings, f.firstNode, f.prepareHost)
		if err := c.mayProceed(report, f, s.out); err != nil {
			return err
		}
	}
	review.FirstNode = f.firstNode
	if !f.asJSON {
		printNotes(s.out, review)
	}
	if err := c.carryOut(ctx, s.out, review, f.asJSON); err != nil {
		return err
	}
	if !settings.Enabled && !f.statesEnabled() && !f.asJSON && !c.Unmanaged() {
		fmt.Fprintln(s.out, text.Clean(c.Called.Command("apply", "--enable"))+" turns it on.")
	}
	return nil
}

// loadToApply loads what is saved, where this node may change it.
func (c *cli) loadToApply(cmd *cobra.Command, f applyFlags) (node.Saved, error) {
	out := c.Gate()
	if out != nil && f.onlyDisables(cmd) {
		c.tellOutOfPlace(errors.New(c.OutOfPlace(node.Saved{}))) // switching off is possible everywhere
		out = nil
	}
	saved, err := c.LoadForChange(cmd.Context())
	switch {
	case out != nil && err == nil && saved.SyncOn():
		return saved, refused("%w; %s", out, c.StillEnabled())
	case out != nil:
		return saved, out
	case err != nil:
		return saved, err
	}
	if f.statesEnabled() {
		return saved, nil
	}
	return saved, c.undecided(saved)
}

// agreed says which agreement of the operator's a save lacks; nil where it lacks
// none.
func (f applyFlags) agreed(r apply.Review) error {
	if replaced := r.Replaced(); len(replaced) > 0 && !f.replaceTransport {
		return refused("the save would replace %s; agree with --replace-transport", strings.Join(replaced, " and "))
	}
	return nil
}

// undecided says why it has to be said whether the sync is to be enabled: what
// is saved does not tell. It is nil where that does.
func (c *cli) undecided(s node.Saved) error {
	switch halfEnabled, foreignFile := s.HalfEnabled(), s.ForeignFile(); {
	case s.StateErr != nil && !c.Unmanaged():
		return &exitError{exitUnknown, fmt.Errorf("it is unknown whether the sync is enabled (%w); run connsync as root with %v, or give --enable or --disable", s.StateErr, trust.Ptrace)}
	case halfEnabled != "":
		return refused("%s: %s; nothing was changed", halfEnabled, s.HalfChoice())
	case foreignFile != "":
		return refused("%s: give --enable, or --disable, which stops it; nothing was changed", foreignFile)
	}
	return nil
}

// onlyDisables says that all that is asked for, by flags and in a file, is to
// switch off.
func (f applyFlags) onlyDisables(cmd *cobra.Command) bool {
	for _, field := range f.table.Fields() {
		if field != conntrackd.FieldEnabled && (f.given.Names(field) || f.flagged(cmd, field)) {
			return false
		}
	}
	return f.disable && !f.enable
}

// mayProceed says why a report stops the save, nil when it does not.
func (c *cli) mayProceed(report check.Report, f applyFlags, w io.Writer) error {
	err := verdictError(report)
	if report.Verdict() == check.VerdictUnknown && f.acceptUnknown {
		return nil
	}
	if err == nil {
		return nil
	}
	if f.asJSON {
		return errorsOf(printJSON(w, text.RefusedSave(text.ChecksOf(report).Sentence, nil, &report)), err)
	}
	fmt.Fprintln(w, text.NothingChanged)
	return err
}

func errorsOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (c *cli) carryOut(ctx context.Context, w io.Writer, r apply.Review, asJSON bool) error {
	each := func(progress step.Step) {
		if progress.Status == step.Running || asJSON {
			return
		}
		fmt.Fprintln(w, text.StepLine(progress))
	}
	waits, stopTelling := outlet.Beside(w, c.err), c.tellInterrupt(ctx) // no output holds up what holds the lock
	outcome := c.Applier(r).Apply(ctx, r.Candidate, each)
	stopTelling()
	waits()
	if asJSON {
		_ = printJSON(w, text.AppliedOf(c.table, r, outcome)) // what is lost of it is told at the end
	} else {
		printOutcome(w, c.table, r, outcome)
	}
	return savedError(outcome, syncOf(r, outcome))
}

// savedError is the exit status of a save; nil where it is 0.
func savedError(o apply.Outcome, sync apply.Sync) error {
	switch {
	case o.Err != nil:
		return &exitError{exitRefused, nil}
	case o.Unseen(), sync == apply.SyncUnknown && o.Proved():
		return &exitError{exitUnknown, nil}
	case sync == apply.SyncFails:
		return &exitError{exitNotInSync, nil}
	}
	return nil
}

// syncOf says how the nodes stand after the save of r.
func syncOf(r apply.Review, o apply.Outcome) apply.Sync {
	return o.Sync(r.Candidate.Settings.Enabled, r.FirstNode)
}

func printOutcome(w io.Writer, t conntrackd.SettingTable, r apply.Review, o apply.Outcome) {
	sync := syncOf(r, o)
	told := text.OutcomeOf(o, o.Steps, sync)
	fmt.Fprintln(w, told.Sentence)
	if told.Sync != "" && (o.Verdict != health.VerdictUnknown || sync == apply.SyncOff) {
		fmt.Fprintln(w, told.Sync)
	}
	if told.Foreign != "" {
		fmt.Fprintln(w, text.ForeignMeanwhile)
		printLines(w, told.Foreign)
	}
	if text.TellsPeer(t, r, o) {
		_ = sayLines(w, text.PeerLines(t, r.Candidate.Settings, r.Candidate.OldSettings()...))
	}
}
