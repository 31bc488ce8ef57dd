package node

import (
	"context"
	"time"

	"connsync/conntrackd/apply"
)

// repairPatience bounds what a start may spend on a save that was interrupted.
const repairPatience = 2 * time.Minute

// Repair ends a save that was interrupted, by a kill or a power cut. The zero
// value means that there was none, which is all but always.
func (n *Node) Repair(ctx context.Context) apply.Recovery {
	ctx, cancel := context.WithTimeout(ctx, repairPatience)
	defer cancel()
	return n.Applier(apply.Review{}).Recover(ctx, n.Config)
}
