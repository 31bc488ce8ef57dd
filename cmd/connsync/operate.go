package main

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd"
	"connsync/tui"
)

// operateLimit bounds an operation of the status screen.
const operateLimit = 30 * time.Second

// Operate does what the status screen offers. What has begun ends, also when
// the screen is left.
func (e *effects) Operate(ctx context.Context, o tui.Operation) (string, error) {
	e.running.Add(1)
	defer e.running.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), operateLimit)
	defer cancel()
	saved, err := e.node.load(ctx)
	if err != nil {
		return "", err
	}
	client := e.node.observer(saved).Client
	switch o {
	case tui.Resync:
		return resync(ctx, client)
	case tui.Flush:
		if err := client.FlushCaches(ctx); err != nil {
			return "", err
		}
		return flushed(ctx, client)
	case tui.Restart:
		return e.node.restart(ctx, client)
	}
	return "", fmt.Errorf("operation %d is not known", o)
}

// resyncPatience is how long the peer's states may take to come.
const resyncPatience = 2 * time.Second

// resync asks for the peer's states, sends ours, and sees what comes of it.
func resync(ctx context.Context, client *conntrackd.Client) (string, error) {
	exchange, err := client.BeginResync(ctx, false)
	if err != nil {
		return "", err
	}
	result, err := exchange.Await(ctx, resyncPatience)
	if err != nil {
		return "", fmt.Errorf("the states are exchanged; what comes of it cannot be seen: %w", err)
	}
	return result.String(), nil
}

// flushed says what the caches hold afterwards, since the daemon does not say
// whether it obeyed.
func flushed(ctx context.Context, client *conntrackd.Client) (string, error) {
	cache, err := client.Cache(ctx)
	if err != nil {
		return "", fmt.Errorf("what came of it cannot be seen: %w", err)
	}
	return fmt.Sprintf("the caches hold %d states of this node and %d of the peer now", cache.Internal, cache.External), nil
}

// restart restarts the daemon and resyncs, and tells how long there was none.
func (n *node) restart(ctx context.Context, client *conntrackd.Client) (string, error) {
	r, err := conntrackd.RestartAndResync(ctx, n.service, client)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("process %d took over", r.PID)
	if r.Gap > 0 {
		text += fmt.Sprintf(" after %.2f s", r.Gap.Seconds())
	}
	return text + "; " + r.Resynced.String(), nil
}
