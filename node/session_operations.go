package node

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile"
	"connsync/plural"
)

// operateLimit bounds an operation of the status screen.
const operateLimit = 30 * time.Second

// operate does something to the running daemon. What has begun ends, also when
// the screen is left.
func (s *Session) operate(ctx context.Context, do func(context.Context, *health.Observer) (string, error)) (string, error) {
	s.running.Add(1)
	defer s.running.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), operateLimit)
	defer cancel()
	saved, err := s.node.Load(ctx)
	if err != nil {
		return "", err
	}
	defer hostfile.Whole()()
	return do(ctx, s.node.Observer(saved))
}

// resyncPatience is how long the peer's states may take to come.
const resyncPatience = 2 * time.Second

// Resync asks for the peer's states, sends ours, and says what came of it.
func (s *Session) Resync(ctx context.Context) (string, error) {
	return s.operate(ctx, func(ctx context.Context, o *health.Observer) (string, error) {
		exchange, err := failover.BeginResync(ctx, o.Client, false)
		if err != nil {
			return "", err
		}
		result, err := exchange.Await(ctx, resyncPatience)
		if err != nil {
			return "", fmt.Errorf("the states are being exchanged; their arrival is unknown: %w", err)
		}
		return withHeld(ctx, o, result).String(), nil
	})
}

// withHeld adds how many connections the kernel holds, where the peer's states go there,
// and how many of these states are no connections.
func withHeld(ctx context.Context, o *health.Observer, r failover.Resynced) failover.Resynced {
	r.Reports = o.Reports(ctx, r.Direct)
	if c, err := o.Coverage.LookNow(ctx); err == nil {
		r.Hold(c.Here())
	}
	return r
}

// FlushCaches empties the daemon's caches and says what they hold afterwards,
// since the daemon does not say whether it obeyed.
func (s *Session) FlushCaches(ctx context.Context) (string, error) {
	return s.operate(ctx, func(ctx context.Context, o *health.Observer) (string, error) {
		if err := o.Client.FlushCaches(ctx); err != nil {
			return "", err
		}
		cache, err := o.Client.Cache(ctx)
		if err != nil {
			return "", fmt.Errorf("the result is unknown: %w", err)
		}
		return fmt.Sprintf("the caches now hold %s of this node and %d of the peer", plural.Of(cache.Internal, "state", "states"), cache.External), nil
	})
}

// Restart restarts the daemon and resyncs, and says how long there was none.
func (s *Session) Restart(ctx context.Context) (string, error) {
	return s.operate(ctx, func(ctx context.Context, o *health.Observer) (string, error) {
		r, err := apply.RestartAndResync(ctx, s.node.Service, o.Client)
		if err != nil {
			return "", err
		}
		text := fmt.Sprintf("process %d took over", r.PID)
		if r.Gap > 0 {
			text += fmt.Sprintf(" after %.2f s", r.Gap.Seconds())
		}
		return text + "; " + withHeld(ctx, o, r.Resynced).String(), nil
	})
}
