package main

import (
	"context"
	"fmt"
	"io"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/hostfile"
	"connsync/node"
	"connsync/shell"
	"connsync/tui/text"
)

// cli is this node as the command line uses it.
type cli struct {
	*node.Node
	table conntrackd.SettingTable
	err   io.Writer // for what concerns no command in particular; nil where nobody reads it
}

// openNode is findCLI for a command; a save that was interrupted is repaired
// first, and that is said on standard error.
func openNode(ctx context.Context, g globals) (*cli, error) {
	c, err := findCLI(ctx, g)
	if err == nil {
		c.tellRepair(ctx)
	}
	return c, err
}

// saves are the kept ones, the newest first. No service is asked for them.
func (g *globals) saves() ([]apply.Entry, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return apply.OpenHistory(g.StateDir).Entries()
}

// called is how the operator calls this program: with the flags that say on what it works,
// where they were given. A path is one that leads there from every directory.
func (g *globals) called() shell.Program {
	var p shell.Program
	for _, f := range []struct {
		flag, value, byDefault string
		path                   bool
	}{
		{"config", g.Config, "", true}, // the default one too: without it the service is asked
		{"service", g.RunBy, "auto", false},
		{"runtime-dir", g.RuntimeDir, node.DefaultRuntimeDir, true},
		{"state-dir", g.StateDir, node.DefaultStateDir, true},
		{"application", g.Application, "", false},
	} {
		if g.given == nil || !g.given(f.flag) || f.value == f.byDefault {
			continue
		}
		if f.path {
			_ = hostfile.Absolute(&f.value) // one that is not there stays as it was given
		}
		p = p.With("--"+f.flag, f.value)
	}
	return p
}

// hint says where the numbers of the saves are found.
func (g *globals) hint() string { return node.Options{Called: g.called()}.HistoryHint() }

// findCLI finds the service; it reads nothing else.
func findCLI(ctx context.Context, g globals) (*cli, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	g.ConfigGiven = g.given != nil && g.given("config")
	g.Called = g.called()
	n, err := node.Find(ctx, g.Options)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--service: %w", err)}
	}
	return &cli{n, g.table, g.err}, nil
}

// repaired says in one sentence what became of a save that was interrupted;
// blank where there was none, which is all but always.
func (c *cli) repaired(ctx context.Context) string {
	return text.RecoverySentence(c.Repair(ctx), c.Called)
}

// tellRepair is repaired for a command.
func (c *cli) tellRepair(ctx context.Context) {
	if said := c.repaired(ctx); said != "" && c.err != nil {
		fmt.Fprintln(c.err, "connsync: "+said)
	}
}

// check refuses blank paths, which an unset variable in a script makes, those that lead
// nowhere, and an application that there is not.
func (g globals) check() error {
	for _, path := range []struct{ flag, value string }{
		{"config", g.Config}, {"runtime-dir", g.RuntimeDir}, {"state-dir", g.StateDir},
	} {
		if path.value == "" {
			return &exitError{exitUsage, fmt.Errorf("--%s has no value", path.flag)}
		}
		if err := hostfile.Absolute(&path.value); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--%s: %w", path.flag, err)}
		}
	}
	if g.Application != "" {
		if _, err := node.ParseApplication(g.Application, "--application", ""); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	return nil
}
