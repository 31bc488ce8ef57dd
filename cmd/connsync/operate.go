package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connsync/conntrackd"
	"connsync/tui"
)

const (
	// operateLimit bounds an operation of the status screen.
	operateLimit = 30 * time.Second
	// answerLimit is how long a restarted daemon may take to answer.
	answerLimit = 5 * time.Second
)

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

// resync asks for the peer's states and sends ours.
func resync(ctx context.Context, client *conntrackd.Client) (string, error) {
	if err := client.RequestResync(ctx); err != nil {
		return "", err
	}
	if err := client.SendBulk(ctx); err != nil {
		return "", fmt.Errorf("the peer was asked for its states; this node's were not sent: %w", err)
	}
	cache, err := client.Cache(ctx)
	if err != nil {
		return "asked the peer for its states, and sent this node's", nil
	}
	return fmt.Sprintf("asked the peer for its states, and sent the %d of this node", cache.Internal), nil
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

// restart restarts the daemon, sees that another one runs, and resyncs.
func (n *node) restart(ctx context.Context, client *conntrackd.Client) (string, error) {
	before, err := n.service.State(ctx)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", n.service.Name(), err)
	}
	begin := time.Now()
	if err := n.service.Restart(ctx); err != nil {
		return "", err
	}
	for {
		_, err := client.Cache(ctx)
		if err == nil || errors.Is(err, conntrackd.ErrStatsMode) {
			break
		}
		if time.Since(begin) > answerLimit {
			return "", fmt.Errorf("it was restarted and does not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(begin)
	after, err := n.service.State(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("look at %s: %w", n.service.Name(), err)
	case after.MainPID == before.MainPID:
		return "", fmt.Errorf("%s still runs as process %d", n.service.Name(), before.MainPID)
	}
	text, err := resync(ctx, client)
	if err != nil {
		return "", fmt.Errorf("process %d took over after %.1f s; %w", after.MainPID, took.Seconds(), err)
	}
	return fmt.Sprintf("process %d took over after %.1f s; %s", after.MainPID, took.Seconds(), text), nil
}
