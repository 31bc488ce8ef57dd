package service

import (
	"context"
	"time"
)

// changeTimeout bounds the wait for a service that is on its way to another
// state. A daemon with 100,000 states takes two seconds to end.
const changeTimeout = 5 * time.Second

// changeInterval is the time between two looks at it.
const changeInterval = 100 * time.Millisecond

// SettledState reads the state of a service. Where that is on its way to
// another state, it reads again until the service is there, for five seconds
// at most, and returns the last state it read; Changing says that it is still
// on its way. An error is one of reading, or ctx's.
func SettledState(ctx context.Context, service Service) (State, error) {
	limit := time.NewTimer(changeTimeout)
	defer limit.Stop()
	tick := time.NewTicker(changeInterval)
	defer tick.Stop()
	for {
		state, err := service.State(ctx)
		if err != nil || !state.Changing {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, ctx.Err()
		case <-limit.C:
			return state, nil
		case <-tick.C:
		}
	}
}
