package node

import (
	"context"
	"fmt"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

// firewallAside is the change of the firewall that goes with a save of the settings;
// nil where the rules admit the sync already.
func (n *Node) firewallAside(ctx context.Context, s conntrackd.Settings) (*apply.Aside, error) {
	flow := n.FlowOf(ctx, s)
	planned, err := n.PlanFirewall(ctx, "", flow)
	if err != nil || !planned.Needed() {
		return nil, err
	}
	return &apply.Aside{
		Title: "Add the firewall rules", Commands: planned.commands(),
		Do: func(ctx context.Context) error {
			// The rules may have changed since the review.
			now, err := n.PlanFirewall(ctx, planned.HostFile, flow)
			if err != nil {
				return err
			}
			return now.Install(ctx)
		},
		Undo: func(ctx context.Context) error { return n.undoFirewall(ctx, planned) },
	}, nil
}

// commands say what the change writes and runs.
func (c *FirewallChange) commands() []string {
	var commands []string
	for _, f := range c.Files {
		if f.Needed() {
			commands = append(commands, "write "+f.Path)
		}
	}
	for line := range strings.Lines(c.Script) {
		if line = strings.TrimSpace(line); line != "" {
			commands = append(commands, "nft "+line)
		}
	}
	return commands
}

// undoFirewall brings the rules back that were there before an installation.
func (n *Node) undoFirewall(ctx context.Context, c *FirewallChange) error {
	if c.before != nil {
		old, err := n.PlanFirewall(ctx, c.before.File, c.before.Target.Flow)
		if err != nil {
			return err
		}
		return old.Install(ctx)
	}
	removal, err := n.PlanFirewallRemoval(ctx, c.HostFile)
	if err != nil {
		return fmt.Errorf("roll back the firewall rules: %w", err)
	}
	return removal.Remove(ctx)
}
