package failover

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd/control"
	"connsync/plural"
)

// Resync is an exchange of all states that is on its way: the peer was asked
// for its own, and this node's were sent.
type Resync struct {
	run    *run
	before tables
	fresh  bool
}

// Resynced is what can be seen of a [Resync] on this node. Whether the peer
// took what was sent is the peer's to say.
type Resynced struct {
	Came  uint64        // states of the peer that came
	After time.Duration // from the request to the last of them, as far as it was seen
	Asked int           // how often the peer was asked
	Heard bool          // the peer has sent something since
	Own   uint64        // states of this node; zero with Bypass
	Sent  bool          // as much went out as those states take
	// Bypass says that this node's states are sent straight from the kernel: how many of them
	// that is cannot be seen.
	Bypass bool
	// Direct says that the peer's states are written to the kernel at once. There Came counts
	// what was written, a state that was sent twice or in two steps more than once; Held, which the
	// caller may fill in, is how many connections the kernel holds now, 0 for not counted.
	Direct bool
	Held   int
	// Reports is how many of the states that came are what the peer tells of itself and no
	// connections, which the caller may fill in.
	Reports int
}

// Hold fills in how many connections the kernel holds now, where the peer's states go there.
// Where it holds none, no connection came.
func (r *Resynced) Hold(count int) {
	if !r.Direct {
		return
	}
	r.Held = count
	if count == 0 {
		r.Reports = int(r.Came)
	}
}

// BeginResync asks the peer for its states (conntrackd -n) and sends this
// node's (-B). fresh says that the daemon has just been started: what the peer
// has sent it by then counts too.
func BeginResync(ctx context.Context, c *control.Client, fresh bool) (*Resync, error) {
	// The kernel's table tells nothing here that the daemon does not.
	f := &Failover{Client: c, Kernel: func() (int, error) { return 0, nil }}
	r := &Resync{run: &run{f: f, asking: ctx}, fresh: fresh}
	var err error
	if r.before, err = r.run.read(); err != nil {
		return nil, err
	}
	if err := c.RequestResync(ctx); err != nil {
		return nil, err
	}
	if err := c.SendBulk(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Await waits until the peer's states have come and no more of them do, or
// until patience is over, which is how a peer without states looks. Halfway
// the peer is asked once more: what a daemon sends before the two have greeted
// each other may be lost, and is not repeated, and a few states may be news and no answer.
func (r *Resync) Await(ctx context.Context, patience time.Duration) (Resynced, error) {
	got := func(t tables) uint64 { return t.External + t.Injected }
	var first uint64
	if !r.fresh {
		first = got(r.before)
	}
	result := Resynced{Asked: 1, Own: r.before.Internal, Bypass: r.before.Bypass, Direct: r.before.Direct}
	began := time.Now()
	for {
		still := settled(control.BulkPause, got, func(t tables) bool {
			return got(t) > first+fewStates || got(t) > first && result.Asked > 1
		})
		now, came, err := r.run.awaitFor(ctx, patience/2, still)
		if err != nil {
			return result, err
		}
		result.Heard = now.Link.PacketsRecv > r.before.Link.PacketsRecv
		result.Sent = now.Link.BytesSent-r.before.Link.BytesSent >= stateBytes*result.Own
		if came || result.Asked > 1 || ctx.Err() != nil {
			result.Came, result.After = got(now)-min(first, got(now)), time.Since(began)
			return result, nil
		}
		if err := r.run.f.Client.RequestResync(r.run.asking); err != nil {
			return result, err
		}
		result.Asked++
	}
}

// String says it in one sentence without a full stop.
func (r Resynced) String() string {
	own := fmt.Sprintf("sent the %s of this node", plural.Of(r.Own, "state", "states"))
	switch {
	case r.Bypass:
		own = "how many states this node sent cannot be seen (DisableInternalCache)"
	case r.Own == 0:
		own = "this node has none to send"
	case !r.Sent:
		own = fmt.Sprintf("the %s of this node were not all sent", plural.Of(r.Own, "state", "states"))
	}
	reports := uint64(r.Reports)
	if r.Direct { // each answer has them
		reports *= uint64(max(r.Asked, 1))
	}
	came := r.Came > reports
	switch {
	case came && r.Held > 0:
		return fmt.Sprintf("the peer's states came; this kernel now holds %s; %s", plural.Of(r.Held, "connection", "connections"), own)
	case came && r.Direct:
		return "the peer's states came into the kernel; " + own
	case came:
		return fmt.Sprintf("%s of the peer came; %s", plural.Of(r.Came-reports, "state", "states"), own)
	case r.Heard:
		return fmt.Sprintf("the peer has no connections to send (asked %s); %s", plural.Times(r.Asked), own)
	}
	return "the peer was asked for its states and did not answer; " + own
}
