package main

import (
	"context"
	"time"

	"connsync/conntrackd"
	"connsync/tui"
)

// repairPatience bounds what a start may spend on a save that was interrupted.
const repairPatience = 2 * time.Minute

// repair ends a save that was interrupted, by a kill or a power cut. The zero
// value means that there was none, which is all but always.
func (n *node) repair(ctx context.Context) conntrackd.Recovery {
	ctx, cancel := context.WithTimeout(ctx, repairPatience)
	defer cancel()
	return n.applier(tui.Review{}).Recover(ctx, n.config)
}
