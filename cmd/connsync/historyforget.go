package main

import (
	"context"
	"errors"
	"fmt"

	"connsync/conntrackd/apply"
	"connsync/node"
	"connsync/tui/text"
)

type forgetFlags struct {
	number int
	yes    bool
}

func (f forgetFlags) check(forget, diff, asJSON bool) error {
	wrong := func(why string) error { return &exitError{exitUsage, errors.New(why)} }
	switch {
	case forget && diff:
		return wrong("--forget and --diff exclude each other")
	case f.yes && !forget:
		return wrong("--yes goes with --forget")
	case forget && f.number < 1:
		return wrong(fmt.Sprintf("--forget: %d is no number of a save: %s", f.number, node.HistoryHint))
	case forget && asJSON && !f.yes:
		return wrong("--json cannot ask: add --yes")
	}
	return nil
}

// forgotten is what history --forget --json prints.
type forgotten struct {
	Forgotten  int         `json:"forgotten"` // the number of the save
	Save       apply.Entry `json:"save"`
	Damage     string      `json:"damage"`     // blank where nothing was damaged
	Unfinished bool        `json:"unfinished"` // it was interrupted and not repaired
}

// forget removes a save from the history after it has said what is lost.
func (c *cli) forget(ctx context.Context, s streams, f forgetFlags, asJSON bool) error {
	unlock, err := c.LockForWriting(false)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := c.PlanRemoval(f.number)
	var unfinished *apply.UnfinishedError
	if errors.As(err, &unfinished) {
		return refused("%w", err)
	}
	if err != nil {
		return err
	}
	if !asJSON {
		if err := sayLines(s.out, text.RemovalLines(r)); err != nil {
			return err
		}
	}
	if !f.yes {
		if err := confirm(ctx, s, fmt.Sprintf("Remove save %d from the history?", f.number), "--yes agrees"); err != nil {
			return err
		}
	}
	if err := r.Remove(); err != nil {
		return err
	}
	if asJSON {
		return printJSON(s.out, forgotten{f.number, r.Entry, r.Damage, r.Unfinished()})
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
		fmt.Fprintf(c.err, "connsync: %s is ignored: no save has this number, so connsync has not written it\n", text.Clean(path))
	}
}
