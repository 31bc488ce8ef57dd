package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/service"
	"connsync/conntrackd/trial"
	"connsync/node/dependents"
	"connsync/shell"
)

// ReviewRollback is what rolling back a save would do; number zero means the
// newest that is in force. What the daemon itself would not read is refused:
// nothing is stopped for it. The checks of the network are not made: what was
// in force may be wanted back while the peer is away, and the proof tells.
func (n *Node) ReviewRollback(ctx context.Context, number int) (apply.Review, error) {
	e, err := n.toUndo(number)
	if err != nil {
		return apply.Review{}, err
	}
	state, err := service.SettledState(ctx, n.Service)
	if err != nil && !n.Unmanaged() { // which nobody can ask, and which is left alone
		return apply.Review{}, fmt.Errorf("read the state of %s: %w", service.Called(n.Service), err)
	}
	now := conntrackd.Running{Active: state.Active, Enabled: state.Enabled}
	c, err := apply.NewRestore(n.Config, n.History(), e, now)
	if err != nil {
		return apply.Review{}, err
	}
	if c.Restore.Active || c.Restore.Enabled {
		if err := n.Gate(); err != nil {
			return apply.Review{}, err
		}
	}
	c.Settings = n.withPrefixes(ctx, c.Settings)
	if c.Restore.Active && c.Changed() && !n.Unmanaged() {
		if problems, err := trial.Lint(ctx, c); err != nil {
			return apply.Review{}, err
		} else if len(problems) > 0 {
			return apply.Review{}, fmt.Errorf("conntrackd does not read the file that save %d replaced: %s", e.Number, strings.Join(problems, "; "))
		}
	}
	r := apply.Review{Candidate: c, Alone: n.Unmanaged()}
	r.Unchanged = !c.Changed() && (n.Unmanaged() || now == *c.Restore && !n.restarts(ctx, r))
	if !n.Unmanaged() {
		before := apply.StandingOf(n.Config, c.Old, now)
		before.Settings = n.withPrefixes(ctx, before.Settings)
		r.Before = &before
	}
	if r.Unchanged {
		c.Notes = nil
	} else {
		var notes []string
		r.Commands, notes = n.restoreCommands(ctx, c, state, err == nil)
		c.Notes = append(c.Notes, notes...)
	}
	c.Notes = append(c.Notes, dependents.StartedBy(n.Service, state, c.Restore.Enabled)...)
	return r, nil
}

// HistoryHint says where the numbers of the saves are found.
func (o Options) HistoryHint() string { return o.Called.Command("history") + " lists them" }

func (n *Node) toUndo(number int) (apply.Entry, error) {
	if number != 0 {
		return n.Entry(number)
	}
	e, err := n.History().Newest(n.Config)
	if errors.Is(err, apply.ErrNoEntry) {
		return e, fmt.Errorf("there is no save to roll back: %s", n.HistoryHint())
	}
	return e, err
}

func (n *Node) restoreCommands(ctx context.Context, c *conntrackd.Candidate, now service.State, known bool) (commands, notes []string) {
	switch {
	case c.New == nil:
		commands = append(commands, shell.Line("rm", n.Config))
	case c.Changed():
		commands = append(commands, "write "+n.Config)
	}
	asked, notes := dependents.Commands(ctx, n.Service, serviceActions(now, known, *c.Restore)...)
	return append(commands, asked...), notes
}

// History is the saves that are kept in the state directory.
func (n *Node) History() apply.History { return apply.OpenHistory(n.StateDir).CalledBy(n.Called) }

// Entry looks a save up by its number. Where there is none the error is for people
// and cannot be tested.
func (n *Node) Entry(number int) (apply.Entry, error) {
	e, err := n.History().Entry(number)
	if errors.Is(err, apply.ErrNoEntry) {
		return e, n.noEntry(number)
	}
	return e, err
}

func (n *Node) noEntry(number int) error {
	return fmt.Errorf("there is no save %d in the history; %s", number, n.HistoryHint())
}

// PlanRemoval says what the history would lose with a save; see
// [apply.History.PlanRemoval].
func (n *Node) PlanRemoval(number int) (apply.Removal, error) {
	r, err := n.History().PlanRemoval(number)
	if errors.Is(err, apply.ErrNoEntry) {
		return r, n.noEntry(number)
	}
	return r, err
}
