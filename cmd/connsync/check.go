package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/node"
	"connsync/tui"
	"connsync/tui/text"
)

func newCheck(s streams, g *globals) *cobra.Command {
	var (
		flags  = settingFlags{table: g.table}
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that the settings work here and with the peer; change nothing",
		Long: `check asks the host, conntrackd and the peer whether the settings can work:
the ones in force, or with flags the ones that apply would save. It changes
nothing and sends the peer nothing that its conntrackd could take for a message.

Exit status: 0 all good or warnings only, 1 something blocks a save, 2 could not
tell, 64 wrong usage.`,
		Example: "  connsync check\n  connsync check --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24\n  connsync check --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := flags.readFrom(cmd); err != nil {
				return err
			}
			c, err := openNode(ctx, *g)
			if err != nil {
				return err
			}
			saved, err := c.Load(ctx)
			if err != nil {
				return err
			}
			values, err := flags.merged(cmd, saved)
			if err != nil {
				return err
			}
			settings, problems := text.ParseSettings(flags.table, values)
			settings, problems = saved.KeepBare(values, settings, problems)
			if c.badName(ctx, values[conntrackd.FieldInterface], problems) {
				settings.Interface = values[conntrackd.FieldInterface] // the checks say what is wrong with it
			} else if len(problems) > 0 {
				return flags.complain(cmd, problems)
			} else if !settings.Complete() {
				if out := c.OutOfPlace(saved); out != "" {
					return refused("%s", out)
				}
				return nothingTo("check", settings)
			}
			report := c.check(ctx, s.out, asJSON, settings, flags.firstNode, false)
			if asJSON {
				if err := printJSON(s.out, report); err != nil {
					return err
				}
			}
			return verdictError(report)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// badName says whether the only problem is the name of an interface that
// exists: then there is something to look at.
func (c *cli) badName(ctx context.Context, name string, problems []conntrackd.Problem) bool {
	if len(problems) != 1 || problems[0].Field != conntrackd.FieldInterface {
		return false
	}
	interfaces, err := netcheck.Interfaces(ctx)
	return err == nil && slices.ContainsFunc(interfaces, func(i netcheck.Interface) bool { return i.Name == name && !i.Loopback })
}

// settings are the saved ones with the file and the flags over them, or all
// their problems.
func (f *settingFlags) settings(cmd *cobra.Command, s node.Saved) (conntrackd.Settings, error) {
	values, err := f.merged(cmd, s)
	if err != nil {
		return conntrackd.Settings{}, err
	}
	settings, problems := text.ParseSettings(f.table, values)
	kept, left := s.KeepBare(values, settings, problems)
	if f.defaultLink != "" && len(left) == 0 {
		if kept, err = f.withDefaultLink(cmd, kept); err != nil {
			return kept, err
		}
	}
	switch {
	case len(problems) > len(left) && len(left) == 0 && kept.Enabled && kept.Current.Bits() < 0:
		return kept, refused("%s", s.NoPrefix)
	case len(left) > 0:
		err = f.complain(cmd, left)
	}
	return kept, err
}

// withDefaultLink has the daemon start with the link on the interface of --default-link.
func (f *settingFlags) withDefaultLink(cmd *cobra.Command, s conntrackd.Settings) (conntrackd.Settings, error) {
	for _, field := range conntrackd.LinkFields() {
		if f.flagged(cmd, field) {
			return s, &exitError{exitUsage, fmt.Errorf("--default-link cannot be combined with --%s, since it is open which link that is for", field.Flag())}
		}
	}
	swapped, ok := s.WithDefaultLink(f.defaultLink)
	if !ok {
		return s, &exitError{exitUsage, fmt.Errorf("--default-link %s is invalid: no link is on that interface; --spare-link adds one", text.Clean(f.defaultLink))}
	}
	return swapped, nil
}

func (f *settingFlags) merged(cmd *cobra.Command, s node.Saved) (conntrackd.Values, error) {
	f.saved = s
	values, problems := f.given.Over(f.table, f.table.Values(s.Settings), func(field conntrackd.Field) bool { return f.flagged(cmd, field) })
	if err := fromProblems(cmd, problems); err != nil {
		return values, err
	}
	values, err := f.over(values, cmd.Flags().Changed)
	given := func(field conntrackd.Field) bool { return f.given.States(field) || f.flagged(cmd, field) }
	values = text.Followed(f.table, values, f.table.Values(s.Settings), given)
	if values[conntrackd.FieldEnabled] == "enable" {
		values = text.WithDefaults(f.table, values)
	}
	return f.table.Settle(values, given), err
}

// complain names the flag of every problem, or the file that has the value.
func (f *settingFlags) complain(cmd *cobra.Command, problems []conntrackd.Problem) error {
	for _, p := range problems {
		fmt.Fprintf(cmd.ErrOrStderr(), "connsync: %s: %s\n", text.Clean(f.origin(cmd, p.Field)), text.Clean(p.Message))
	}
	return &problemsError{problems, &exitError{exitRefused, nil}}
}

// check runs the plan and prints the results in its order, each as soon as the
// ones before it are known, unless quiet. prepares says that they are those of a save that
// prepares the host.
func (c *cli) check(ctx context.Context, w io.Writer, quiet bool, settings conntrackd.Settings, firstNode, prepares bool) check.Report {
	plan := c.Plan(ctx, settings, firstNode)
	if quiet {
		return check.Run(ctx, plan, nil)
	}
	printed := tui.InPlanOrder(plan, func(r check.Result) {
		for _, line := range text.CheckLines(text.InSave(r, prepares)) {
			fmt.Fprintln(w, line)
		}
	})
	report := check.Run(ctx, plan, printed)
	for _, r := range report.Results {
		printed(r) // what a cancelled run has left open
	}
	told := text.ChecksOf(report)
	fmt.Fprintln(w, told.Sentence)
	if !firstNode && told.OnlyPeer {
		fmt.Fprintln(w, text.FirstNodeFlag)
	}
	return report
}

// verdictError is the exit status of a report that does not allow a save.
func verdictError(r check.Report) error {
	switch r.Verdict() {
	case check.VerdictBlocked:
		return &exitError{exitRefused, nil}
	case check.VerdictUnknown:
		return &exitError{exitUnknown, nil}
	}
	return nil
}
