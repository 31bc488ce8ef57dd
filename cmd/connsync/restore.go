package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connsync/conntrackd"
	"connsync/tui"
)

// reviewRollback is what taking back a save would do; number zero means the
// newest that is in force. What the daemon itself would not read is refused:
// nothing is stopped for it. The checks of the network are not made: what was
// in force may be wanted back while the peer is away, and the proof tells.
func (n *node) reviewRollback(ctx context.Context, number int) (tui.Review, error) {
	e, err := n.toUndo(number)
	if err != nil {
		return tui.Review{}, err
	}
	state, err := conntrackd.SettledState(ctx, n.service)
	if err != nil {
		return tui.Review{}, fmt.Errorf("read the state of %s: %w", n.service.Name(), err)
	}
	now := conntrackd.Running{Active: state.Active, Enabled: state.Enabled}
	c, err := conntrackd.NewRestore(n.config, n.history(), e, now)
	if err != nil {
		return tui.Review{}, err
	}
	if c.Restore.Active || c.Restore.Enabled {
		if err := n.gate(); err != nil {
			return tui.Review{}, err
		}
	}
	c.Settings = n.withPrefixes(ctx, c.Settings)
	if c.Restore.Active && c.Changed() && !n.unmanaged() {
		if problems, err := conntrackd.Lint(ctx, c); err != nil {
			return tui.Review{}, err
		} else if len(problems) > 0 {
			return tui.Review{}, fmt.Errorf("conntrackd does not read the file that save %d replaced: %s", e.Number, strings.Join(problems, "; "))
		}
	}
	r := tui.Review{Candidate: c, Unchanged: !c.Changed() && (n.unmanaged() || now == *c.Restore)}
	if !r.Unchanged {
		r.Commands = n.restoreCommands(c, now)
	}
	return r, nil
}

// historyLists says where the numbers of the saves are found.
const historyLists = "connsync history lists them"

func (n *node) toUndo(number int) (conntrackd.Entry, error) {
	if number != 0 {
		return n.entry(number)
	}
	e, err := n.history().Newest(n.config)
	if errors.Is(err, conntrackd.ErrNoEntry) {
		return e, fmt.Errorf("there is no save to take back: %s", historyLists)
	}
	return e, err
}

func (n *node) restoreCommands(c *conntrackd.Candidate, now conntrackd.Running) []string {
	var commands []string
	switch {
	case c.New == nil:
		commands = append(commands, "rm "+n.config)
	case c.Changed():
		commands = append(commands, "write "+n.config)
	}
	if c.Restore.Enabled != now.Enabled {
		action := conntrackd.ActionDisable
		if c.Restore.Enabled {
			action = conntrackd.ActionEnable
		}
		commands = append(commands, n.service.Commands(action)...)
	}
	switch {
	case c.Restore.Active:
		commands = append(commands, n.service.Commands(conntrackd.ActionRestart)...)
	case now.Active:
		commands = append(commands, n.service.Commands(conntrackd.ActionStop)...)
	}
	return commands
}

func (n *node) history() conntrackd.History { return conntrackd.OpenHistory(n.stateDir) }

// entry looks a save up; one that is not there is a wrong number.
func (n *node) entry(number int) (conntrackd.Entry, error) {
	e, err := n.history().Entry(number)
	if errors.Is(err, conntrackd.ErrNoEntry) {
		return e, fmt.Errorf("there is no save %d in the history; %s", number, historyLists)
	}
	return e, err
}
