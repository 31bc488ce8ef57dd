package main

import (
	"context"
	"errors"
	"time"

	"connsync/tui"
	"connsync/tui/console"
)

// lastWords is how long the line mode may take to say how it ended, once the
// program is told to end and no save is under way.
const lastWords = time.Second

// runLines talks line by line, on a terminal or through pipes.
func runLines(ctx context.Context, s streams, g globals, first *firstSetup, hint string) error {
	n, err := openNode(ctx, g)
	if err != nil {
		return err
	}
	options, effects, err := n.formOptions(ctx)
	if err != nil {
		return err
	}
	if first != nil {
		if err := first.options(&options, effects, effects.fresh); err != nil {
			return err
		}
		first.told = true // line by line, how it ended
	}
	o := tui.LineOptions{Options: options, In: s.in, Out: s.out, Silent: !isTerminal(s.in), Hint: hint}
	out, ok := s.screen()
	onTerminal := ok && isTerminal(out)
	if onTerminal {
		o.Width = console.Columns(out) - 1
	}
	ended := make(chan error, 1)
	go func() { ended <- tui.TalkLines(o) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		effects.running.Wait() // a save that has begun ends, even when nobody watches
		select {
		case err = <-ended:
		case <-time.After(lastWords):
			err = tui.ErrUnfinished
			if onTerminal {
				console.Discard(out)
			}
		}
	}
	if errors.Is(err, tui.ErrUnfinished) {
		return &exitError{exitRefused, nil}
	}
	return err
}
