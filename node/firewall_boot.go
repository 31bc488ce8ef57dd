package node

import (
	"context"

	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/node/firewallboot"
)

// noteBoot says what else it takes for the rules to be there after a boot, or
// why that is not known. An error is the caller's context's.
func (c *FirewallChange) noteBoot(ctx context.Context) error {
	gap, err := firewallboot.Find(ctx, c.HostFile)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.Notes = append(c.Notes, err.Error())
	case gap.Remedy != "":
		c.Notes = append(c.Notes, gap.Why+": "+gap.Remedy)
	case gap.Why != "":
		c.Notes = append(c.Notes, gap.Why)
	}
	return nil
}

// atBoot adds to a firewall that lets the sync through whether it still does after a
// boot, where that depends on connsync's own rules.
func (n *Node) atBoot(ctx context.Context, f check.Finding) check.Finding {
	_, installed, err := n.openFirewallJournal(firewall.Flow{})
	if err != nil || installed == nil {
		return f
	}
	gap, err := firewallboot.Find(ctx, installed.File)
	switch {
	case err != nil:
		f.Detail += "; " + err.Error()
	case gap.Why != "":
		return check.Finding{Status: check.Failed, Detail: f.Detail + ", but not at boot: " + gap.Why, Remedy: gap.Remedy}
	}
	return f
}
