package main

import (
	"context"
	"fmt"
	"time"

	"connsync/tui"
)

// repairPatience bounds what a start may spend on a save that was interrupted.
const repairPatience = 2 * time.Minute

// repair ends a save that was interrupted, by a kill or a power cut, and says
// so in one sentence; blank where there was none, which is all but always.
func (n *node) repair(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, repairPatience)
	defer cancel()
	return tui.RecoverySentence(n.applier(tui.Review{}).Recover(ctx, n.config))
}

// tellRepair is repair for a command.
func (n *node) tellRepair(ctx context.Context) {
	if said := n.repair(ctx); said != "" && n.err != nil {
		fmt.Fprintln(n.err, "connsync: "+said)
	}
}
