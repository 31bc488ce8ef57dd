package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"connsync/node"
	"connsync/tui/text"
)

const applicationHelp = `application shows what this appliance is, from --application or the word in
` + node.ApplicationFile + `, and whether it offers connection sync.

With --enforce it disables the sync where the application does not allow it, now and at
boot, as apply --disable does; conntrackd.conf stays. It prints nothing if nothing has
to be disabled. If the application is unknown, nothing is disabled, and the exit status
is 1. A unit of the package runs it at boot and whenever the file changes.

Exit status: 0 connection sync is allowed, or --enforce left it disabled where it is
not; 1 it is not allowed, or unknown, or a step failed; 64 wrong usage.`

// placed is what application --json prints.
type placed struct {
	Application string `json:"application"` // blank without an application file
	From        string `json:"from"`
	Reason      string `json:"reason"`  // why there is no connection sync here; blank where there is
	Enabled     bool   `json:"enabled"` // it goes on all the same
	Disabled    bool   `json:"disabled"`
}

func newApplication(s streams, g *globals) *cobra.Command {
	var enforce, asJSON bool
	cmd := &cobra.Command{
		Use:     "application",
		Short:   "Show what this appliance is, and whether it offers connection sync",
		Long:    applicationHelp,
		Example: "  connsync application\n  connsync application --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			return c.place(cmd.Context(), s.out, enforce, asJSON)
		},
	}
	cmd.Flags().BoolVar(&enforce, "enforce", false, "disable the sync where the application does not allow it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) place(ctx context.Context, w io.Writer, enforce, asJSON bool) error {
	a, err := c.Appliance()
	if err != nil {
		return err
	}
	saved, err := c.Load(ctx)
	if err != nil && a.Reason() != "" {
		return err
	}
	p := placed{Application: a.Word, From: a.Source, Reason: a.Reason(), Enabled: a.Reason() != "" && saved.SyncOn()}
	if p.Enabled && enforce {
		if p.Disabled, err = c.disable(ctx, w, saved, asJSON); err != nil {
			return err
		}
	}
	switch {
	case asJSON:
		err = printJSON(w, p)
	case enforce && !p.Disabled:
		err = nil // a unit runs it, and shows on the console what it says
	default:
		err = sayLines(w, []string{p.text(c.StillEnabled())})
	}
	if err == nil && p.Reason != "" && !enforce {
		err = &exitError{exitRefused, nil}
	}
	return err
}

// text is the answer; stillEnabled says what to do about a sync that goes on.
func (p placed) text(stillEnabled string) string {
	switch {
	case p.Disabled:
		return "The sync is disabled now: " + p.Reason + "."
	case p.Reason != "" && p.Enabled:
		return "No: " + p.Reason + "; " + stillEnabled + "."
	case p.Reason != "":
		return "No: " + p.Reason + "."
	case p.Application == "":
		return "Yes: there is no application file (" + node.ApplicationFile + "), so this host is treated as an ordinary one."
	}
	return "Yes: " + node.Application{Word: p.Application, Source: p.From}.Stated() + "."
}

// disable takes the sync off this host and keeps the file.
func (c *cli) disable(ctx context.Context, w io.Writer, s node.Saved, quiet bool) (bool, error) {
	settings := s.Settings
	settings.Enabled = false
	review, err := c.Review(ctx, s, settings, false)
	if err != nil {
		return false, err
	}
	if quiet {
		w = io.Discard
	}
	if err := c.carryOut(ctx, w, review, false); err != nil {
		return false, err
	}
	return true, nil
}

// tellOutOfPlace warns on standard error, where a command goes on although this
// host is no place for a sync.
func (c *cli) tellOutOfPlace(why error) {
	if why != nil && c.err != nil {
		fmt.Fprintln(c.err, "connsync: "+text.Clean(why.Error()))
	}
}
