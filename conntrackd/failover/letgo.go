package failover

import (
	"context"
	"fmt"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/step"
	"connsync/plural"
)

// letGo is for the states in the kernel. What a backup has in its internal cache it speaks
// for: an entry of those that is flushed or expires here ends the connection on the peer,
// which carries it. As a primary it has read all of its kernel's table into that cache.
//
// It goes last, and only where the peer has them: one that has just started may have to be
// given them by this node, which has them for it in that cache alone. The kernel's table
// stays, from which a primary reads all of them again.
func letGo() action {
	return action{id: stepLetGo, title: "Let go of the connections that the peer has", ask: (*control.Client).FlushInternal, effect: letGoEffect, last: true,
		whyNot: func(r *run, now tables) (step.Status, string) {
			switch {
			case now.Internal == 0:
				return step.Done, "the internal cache is empty"
			case !peerHas(now, r.answer):
				return step.Skipped, fmt.Sprintf("the peer has sent %s, and may need the %d that this node has", plural.Of(r.answer, "state", "states"), now.Internal)
			}
			return "", ""
		}}
}

// peerHas says that a peer which holds so many connections has those that are in the
// internal cache here. Some of the cache have ended since, and some entries of the kernel
// are of the node itself, so that half of them will do: a peer that has just started has
// those alone that began since.
func peerHas(now tables, holds uint64) bool {
	return holds > 0 && 2*holds >= min(now.Internal, uint64(now.kernel))
}

func letGoEffect(ctx context.Context, r *run, before tables) (step.Status, string) {
	now, ok, err := r.await(ctx, func(t tables) bool { return t.Internal < before.Internal })
	switch {
	case err != nil:
		return cannotSee(err)
	case !ok:
		return step.Failed, fmt.Sprintf("the internal cache still has %s", plural.Of(now.Internal, "state", "states"))
	}
	return step.Done, fmt.Sprintf("internal cache %d to %d; the kernel's table has %s", before.Internal, now.Internal, plural.Of(now.kernel, "entry", "entries"))
}

// LetGo has a node which the last call made a backup empty its internal cache, as that call
// does where the peer has answered it with its connections. The peer may have taken them
// over later; and a daemon that is restarted, or lost events, reads the kernel's table into
// that cache again. speaksFor is how many connections the peer told to have in its own
// cache so long ago. It returns how many states were let go of; a call on its way is
// waited for.
func (f *Failover) LetGo(ctx context.Context, speaksFor int, ago time.Duration) (states uint64, err error) {
	file, err := f.lockFile(ctx)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	role, at := readNote(file)
	if role != RoleBackup || at > Clock() || Clock()-at <= ago {
		return 0, nil // what the peer told was of before
	}
	r := &run{f: f, asking: ctx}
	now, err := r.read()
	if err != nil || !now.Direct || now.Bypass || now.Internal <= fewStates || !peerHas(now, uint64(speaksFor)) {
		return 0, err
	}
	if err := f.Client.FlushInternal(ctx); err != nil {
		return 0, fmt.Errorf("empty the internal cache: %w", err)
	}
	return now.Internal, nil
}
