package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"connsync/tui"
	"connsync/tui/console"
)

// lastWords is how long the line mode may take to say how it ended, once the
// program is told to end and no save is under way.
const lastWords = time.Second

// runLines talks line by line, on a terminal or through pipes.
func runLines(ctx context.Context, s streams, g globals, first *firstSetup, hint string) error {
	c, err := openNode(ctx, g)
	if err != nil {
		return err
	}
	options, effects, err := c.formOptions(ctx)
	if err != nil {
		return err
	}
	if first != nil {
		if err := first.options(&options, effects); err != nil {
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
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	ended := make(chan error, 1)
	go func() { ended <- tui.TalkLines(o) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		effects.Wait() // a save that has begun ends, even when nobody watches
		select {
		case err = <-ended:
		case <-time.After(lastWords):
			err = tui.ErrUnfinished
			if onTerminal {
				console.Discard(out)
			}
		}
	}
	signal.Stop(interrupts) // what has come is in it then
	if errors.Is(err, tui.ErrUnfinished) {
		if len(interrupts) > 0 && first.leftForLater() {
			return nil // ctrl+c is a way to say that
		}
		return &exitError{exitRefused, nil}
	}
	return err
}
