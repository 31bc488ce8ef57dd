package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/typed"
	"connsync/tui/text"
)

func newHistory(s streams, g *globals) *cobra.Command {
	var (
		asJSON  bool
		asArray bool
		diff    int
		f       forgetFlags
	)
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the newest saves: when, who, from where, and how they ended",
		Long: `history lists the newest 20 saves of conntrackd.conf, the newest first. Each keeps
the file that it replaced; rollback puts one back. An interrupted save whose kept
file is damaged blocks the next save: --forget removes it and what it kept. A save of
which nothing is damaged is not removed.

Exit status: 0 done, 1 the history could not be read, or the save is kept; 64 wrong
usage.`,
		Example: "  connsync history\n  connsync history --diff 12",
		RunE: func(cmd *cobra.Command, _ []string) error {
			forget := cmd.Flags().Changed("forget")
			shows := cmd.Flags().Changed("diff")
			if err := f.check(forget, shows, asJSON, g.hint()); err != nil {
				return err
			}
			if shows && diff < 1 {
				return &exitError{exitUsage, notNumber("--diff", diff, g.hint())}
			}
			c, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			if forget {
				return c.forget(cmd.Context(), s, f, asJSON)
			}
			if shows {
				return c.printDiff(s.out, diff, asJSON)
			}
			return c.printHistory(s.out, asJSON, asArray)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asArray, "json-array", false, "print the list of --json alone, as 1.0 did; the next version has no such flag")
	cmd.Flags().IntVar(&diff, "diff", 0, "show what save `N` changed in the file")
	cmd.Flags().IntVar(&f.number, "forget", 0, "remove save `N`, of which something is damaged, and its files from the history; asks first")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "with --forget: do not ask")
	return cmd
}

func (c *cli) printHistory(w io.Writer, asJSON, asArray bool) error {
	entries, err := c.History().Entries()
	if err != nil {
		return err
	}
	c.tellIgnored()
	switch entries = c.History().WithChanges(append([]apply.Entry{}, entries...)); {
	case asArray:
		return printJSON(w, entries)
	case asJSON:
		return printJSON(w, text.ListedSavesOf(c.table, entries))
	}
	if len(entries) == 0 {
		fmt.Fprintln(w, text.NothingSaved)
	}
	for _, e := range entries {
		for _, line := range text.EntryLines(e) {
			fmt.Fprintln(w, line)
		}
	}
	return nil
}

func (c *cli) printDiff(w io.Writer, number int, asJSON bool) error {
	e, err := c.Entry(number)
	if err != nil {
		return err
	}
	change, err := c.History().Change(e)
	if err != nil {
		return err
	}
	summary, diff := text.EntrySummary(c.table, e, change.Before, change.After), change.Diff
	if asJSON {
		return printJSON(w, text.DiffedSave{Entry: e, Summary: summary, Diff: diff})
	}
	for _, line := range append(text.EntryLines(e), summary) {
		fmt.Fprintln(w, line)
	}
	if diff == "" {
		diff = text.FileStayed
	}
	printLines(w, diff)
	return nil
}

// printLines prints a diff, line by line, safe for a terminal.
func printLines(w io.Writer, content string) {
	for line := range strings.Lines(content) {
		fmt.Fprintln(w, text.DiffLine(strings.TrimSuffix(line, "\n"), "..."))
	}
}

const rollbackHelp = `rollback restores what a save replaced: the file as it was before save N and the
service as it was then, running or not, now and at boot. Without N it rolls back
the newest save that is in force; a rollback is a save too, so that a second one
undoes the first. It is made like every save: it writes, restarts and proves, and
restores the present state if a step fails.

On a terminal it shows the change and asks first; with --yes, with --json and in a
script it does not ask.

` + exitStatuses

type rollbackFlags struct {
	dryRun, asJSON bool
	firstNode, yes bool
}

func newRollback(s streams, g *globals) *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:     "rollback [N]",
		Short:   "Roll back the newest save, or save N",
		Long:    rollbackHelp,
		Example: "  connsync history\n  connsync rollback 12 --dry-run\n  connsync rollback 12",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) <= 1 {
				return nil
			}
			return fmt.Errorf("rollback takes one number, got %s and more: see %s --help", typed.Show(args[0]), cmd.CommandPath())
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := entryNumber(args, g.hint())
			if err != nil {
				return err
			}
			c, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			return c.rollback(cmd, s, number, f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, dryRunHelp)
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	flags.BoolVar(&f.firstNode, "first-node", false, peerAbsent+"; do not wait for it")
	flags.BoolVar(&f.yes, "yes", false, "do not ask, even on a terminal")
	return cmd
}

// entryNumber is the number given, zero where none is; hint says where there are numbers.
func entryNumber(args []string, hint string) (int, error) {
	if len(args) == 0 {
		return 0, nil
	}
	number, err := strconv.Atoi(args[0])
	if err != nil || number < 1 {
		return 0, &exitError{exitUsage, fmt.Errorf("%s is not the number of a save: %s", typed.Show(args[0]), hint)}
	}
	return number, nil
}

func (c *cli) rollback(cmd *cobra.Command, s streams, number int, f rollbackFlags) error {
	ctx := cmd.Context()
	review, err := c.ReviewRollback(ctx, number)
	if err != nil {
		return err
	}
	if !f.asJSON {
		fmt.Fprintf(s.out, "Roll back save %d:\n", review.Candidate.Undoes)
	}
	if f.dryRun {
		return c.rehearse(ctx, s.out, review, f.asJSON, nil, nil)
	}
	review.FirstNode = f.firstNode
	switch {
	case f.asJSON:
	case isTerminal(s.in) && !f.yes:
		if err := c.printReview(s.out, review, false, "", nil); err != nil {
			return err
		}
		if err := confirm(ctx, s, "Roll back?", "--yes agrees"); err != nil {
			return err
		}
	default:
		printNotes(s.out, review)
	}
	return c.carryOut(ctx, s.out, review, f.asJSON)
}

type forgetFlags struct {
	number int
	yes    bool
}

func (f forgetFlags) check(forget, diff, asJSON bool, hint string) error {
	wrong := func(why string) error { return &exitError{exitUsage, errors.New(why)} }
	switch {
	case forget && diff:
		return wrong("--forget and --diff cannot be combined")
	case f.yes && !forget:
		return wrong("--yes goes with --forget")
	case forget && f.number < 1:
		return &exitError{exitUsage, notNumber("--forget", f.number, hint)}
	case forget && asJSON && !f.yes:
		return wrong("--json cannot ask: add --yes")
	}
	return nil
}

// notNumber is said of a flag whose value is the number of no save.
func notNumber(flag string, number int, hint string) error {
	return fmt.Errorf("%s: %d is not the number of a save: %s", flag, number, hint)
}

// forget removes a save from the history after it has said what is lost.
func (c *cli) forget(ctx context.Context, s streams, f forgetFlags, asJSON bool) error {
	unlock, err := c.LockForWriting(false)
	if err != nil {
		return err
	}
	defer func() { unlock() }()
	r, err := c.PlanRemoval(f.number)
	var unfinished *apply.UnfinishedError
	var undamaged *apply.UndamagedError
	if errors.As(err, &unfinished) || errors.As(err, &undamaged) {
		return refused("%w", err)
	}
	if err != nil {
		return err
	}
	shown := text.RemovalLines(r)
	if !asJSON {
		if err := sayLines(s.out, shown); err != nil {
			return err
		}
	}
	if !f.yes {
		if unlock, err = c.confirmUnlocked(ctx, s, unlock, fmt.Sprintf("Remove save %d from the history?", f.number), "--yes agrees"); err != nil {
			return err
		}
		if r, err = c.PlanRemoval(f.number); err != nil {
			return err
		}
		if !slices.Equal(text.RemovalLines(r), shown) {
			return errChangedMeanwhile()
		}
	}
	if err := r.Remove(); err != nil {
		return err
	}
	unlock() // whatever the line takes
	if asJSON {
		return printJSON(s.out, text.ForgottenSave{Forgotten: f.number, Save: r.Entry, Damage: r.Damage, Unfinished: r.Unfinished()})
	}
	return sayLines(s.out, []string{fmt.Sprintf("Save %d was removed from the history.", f.number)})
}

// tellIgnored names files of the history that are not connsync's.
func (c *cli) tellIgnored() {
	ignored, err := c.History().Ignored()
	if err != nil || c.err == nil {
		return
	}
	for _, path := range ignored {
		fmt.Fprintf(c.err, "connsync: %s is ignored: no save has this number, so connsync did not write it\n", text.Clean(path))
	}
}
