package health

import (
	"context"
	"time"
)

const (
	// settleLimit is how long it takes to a verdict at most; in sync is seen within two
	// seconds, and with connections that need a second look within three.
	settleLimit = 6 * time.Second
	// settleLeast is how long it takes in any case, for losses.
	settleLeast = 2500 * time.Millisecond
)

// Settle watches until the verdict is clear, and for losses a while longer: six seconds at
// most, or until ctx ends.
func (o *Observer) Settle(ctx context.Context) Health {
	begin := time.Now()
	for {
		left := max(settleLimit-time.Since(begin), time.Millisecond)
		health := o.Watch(ctx, left, nil)
		took := time.Since(begin)
		switch {
		case ctx.Err() != nil, took >= settleLimit, took >= settleLeast && health.Verdict.BothWays():
			return health
		}
		time.Sleep(250 * time.Millisecond)
	}
}
