package main

import (
	"context"
	"errors"
	"math"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/fromfile"
	"connsync/tui/text"
)

const coverageHelp = `coverage lists the connections that would be lost if this node failed now: those
that the file filters, with its line, and those missing in conntrackd's cache.
It reads both twice, a second apart.

With --export it prints this node's connections, and with --compare it compares
such a list with what this node holds, in the kernel's table and in the external
cache where conntrackd has one. Neither needs a daemon or opens a port:

    connsync coverage --export | ssh PEER connsync coverage --compare -

Entries that change meanwhile are read again. Output of conntrack -L works too.

Exit status: 0 all would survive, or are here and equal; 1 some would not, or are
not; 2 unknown, also because the input is incomplete; 64 wrong usage.`

type coverageFlags struct {
	all, asJSON, export bool
	compare             string
}

// coverageShown is how many connections are listed without --all.
const coverageShown = 20

func newCoverage(s streams, g *globals) *cobra.Command {
	var f coverageFlags
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "List the connections that a failover would lose, or compare those of both nodes",
		Long:  coverageHelp,
		Example: "  connsync coverage\n  connsync coverage --all --json\n" +
			"  connsync coverage --export | ssh root@10.0.0.102 connsync coverage --compare -",
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
	flags.BoolVar(&f.all, "all", false, "list all of them, not only the first 20")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	flags.BoolVar(&f.export, "export", false, "print this node's connections for --compare on the other node")
	flags.StringVar(&f.compare, "compare", "", "compare the other node's connections, from a `file` or from standard input with -")
	return cmd
}

func (f coverageFlags) check(changed func(flag string) bool) error {
	switch {
	case f.export && changed("compare"):
		return errors.New("--export and --compare cannot be combined")
	case changed("compare") && f.compare == "":
		return errors.New("--compare has no value")
	case f.export && (f.asJSON || f.all):
		return errors.New("--export cannot be combined with --json or --all")
	}
	return nil
}

func (f coverageFlags) run(ctx context.Context, s streams, g globals) error {
	c, err := findCLI(ctx, g)
	if err != nil {
		return err
	}
	most := coverageShown
	if f.all {
		most = math.MaxInt
	}
	switch {
	case f.export:
		return c.ExportConnections(ctx, s.out)
	case f.compare != "":
		return f.comparison(ctx, s, c, most)
	case c.Unmanaged():
		return errUnmanaged()
	}
	return f.list(ctx, s, c, most)
}

func (f coverageFlags) list(ctx context.Context, s streams, c *cli, most int) error {
	saved, err := c.Load(ctx)
	if err != nil {
		return err
	}
	o := c.Observer(saved)
	o.Coverage.Most = most
	_ = o.Start(ctx) // without it the verdict says less, and says so
	h := o.Settle(ctx)
	switch {
	case h.Coverage == nil && h.CoverageErr != nil:
		return h.CoverageErr
	case h.Coverage == nil:
		return errors.New(text.Join(": ", h.Cause, h.Next))
	}
	if f.asJSON {
		err = printJSON(s.out, h.ListedCoverage())
	} else {
		err = sayLines(s.out, text.ListedCoverage(h, false))
	}
	if err == nil && h.Coverage.Lost() > 0 {
		err = &exitError{exitRefused, nil}
	}
	if err == nil {
		err = healthError(h.Verdict)
	}
	return err
}

func (f coverageFlags) comparison(ctx context.Context, s streams, c *cli, most int) error {
	in := fromfile.Open(ctx, f.compare, s.in)
	defer in.Close()
	compared, err := c.CompareConnections(ctx, in, most)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(s.out, compared.Listed())
	} else {
		err = sayLines(s.out, text.ComparisonLines(compared, c.Called))
	}
	if err == nil && compared.Lost() > 0 {
		err = &exitError{exitRefused, nil}
	}
	return err
}
