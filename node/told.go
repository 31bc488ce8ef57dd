package node

import (
	"context"

	"connsync/conntrackd"
	"connsync/conntrackd/events"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/mailbox"
	"connsync/netcheck/cthelper"
	"connsync/netcheck/keepalived"
)

// toldOf returns what the peer is told of this host, with the settings.
func (n *Node) toldOf(ctx context.Context, settings conntrackd.Settings) mailbox.Host {
	host := mailbox.Host{Hook: n.hookState(ctx, settings)}
	if names, err := cthelper.Names(ctx); err == nil {
		host.Helpers = mailbox.NewHelpers(names)
	}
	return host
}

// hookState says whether something here runs the hook when this node becomes primary.
func (n *Node) hookState(ctx context.Context, settings conntrackd.Settings) mailbox.Hook {
	mover, finding := n.findMover(ctx, settings.ExternalCache)
	switch {
	case mover != nil:
		if why, _, err := keepalived.NotLoaded(mover); why != "" || err != nil {
			return mailbox.HookUnknown
		}
		return n.hookOf(mover, settings).state()
	case finding.Err != nil:
		return mailbox.HookUnknown
	case n.hookHasRun():
		return mailbox.HookRuns
	}
	return mailbox.HookUnseen
}

// hookHasRun says that connsync failover has run here.
func (n *Node) hookHasRun() bool {
	role, _ := events.LastRole(n.StateDir)
	return role != ""
}

// state says whether keepalived takes the external cache into the kernel when the node's
// addresses come. One hook does, of however many instances.
func (h hook) state() mailbox.Hook {
	state := mailbox.HookFails
	for _, u := range h.units() {
		switch c := h.scriptFor(u, failover.RolePrimary); c.call {
		case callsUs, callsPackaged:
			why, err := h.notRun(c.script, failover.RolePrimary)
			if err == nil && why == "" {
				return mailbox.HookRuns
			}
			if err != nil {
				state = mailbox.HookUnknown
			}
		case callsOther, callsUnread:
			state = mailbox.HookUnknown
		case callsNothing: // what a script that is not ours starts cannot be told
			if _, other := h.otherScript(u, keepalived.NotifyMaster); other || h.mover.Fifo {
				state = mailbox.HookUnknown
			}
		}
	}
	return state
}
