package prepare

import (
	"context"
	"fmt"
	"slices"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
)

// ItemHook is the item of what moves the addresses, which has to call connsync.
const ItemHook ItemID = "failover-hook"

// ItemOffered is the state of an item that a save sets right only when it is asked
// for by its ID, see [Preparer.Accepted].
const ItemOffered ItemState = "offered"

// Mover is the program that moves the addresses, as the caller knows it.
type Mover struct {
	// Look says what its configuration would become; false where it makes
	// no offer. It changes nothing.
	Look func(ctx context.Context, c *conntrackd.Candidate) (Offer, bool)
	// Reload has it read its configuration and sees that it runs on.
	Reload func(ctx context.Context) error
}

// Offer is a change of one file that somebody else's program reads.
type Offer struct {
	State   ItemState // [ItemOffered] where the file can be changed
	Detail  string
	Path    string
	Read    []byte // of the file, as it was looked at
	Content []byte
	Reload  string // what Reload does, in shell words; blank for nothing
}

// hook looks at what the mover lacks.
func (l *hostLook) hook(ctx context.Context) (Item, bool) {
	i := Item{
		ID: ItemHook, Title: "Have keepalived call connsync failover",
		Reason: "conntrackd is not told when the addresses move",
	}
	if l.p.Mover == nil {
		return i, false
	}
	o, ok := l.p.Mover.Look(ctx, l.c)
	if !ok {
		return i, false
	}
	i.State, i.Detail = o.State, o.Detail
	if o.State != ItemOffered {
		return i, true
	}
	i.changes = []change{{kind: hostfile.ChangeFile, path: o.Path, content: o.Content, read: o.Read, mover: true}}
	i.Commands = append(i.Commands, "write "+o.Path)
	if o.Reload != "" {
		i.Commands = append(i.Commands, o.Reload)
	}
	if slices.Contains(l.p.Accepted, ItemHook) {
		i.State = ItemMissing
	}
	return i, true
}

// Accept returns the preparation with an offer taken: a save carries it out.
func (p Preparation) Accept(id ItemID) Preparation {
	items := slices.Clone(p.Items)
	for n := range items {
		if items[n].ID == id && items[n].State == ItemOffered {
			items[n].State = ItemMissing
		}
	}
	return Preparation{Items: items}
}

func (p *Preparer) reloadMover(ctx context.Context) error {
	if p.Mover == nil || p.Mover.Reload == nil {
		return nil
	}
	if err := p.Mover.Reload(ctx); err != nil {
		return fmt.Errorf("have keepalived read its configuration again: %w", err)
	}
	return nil
}
