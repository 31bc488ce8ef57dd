package coverage

import (
	"context"
	"net/netip"
	"slices"
)

// Through returns the entry of a connection that a host in the network has with another
// one than the own; nil where there is none. It needs CAP_NET_ADMIN, and looks in the
// network namespace of the calling thread.
func Through(ctx context.Context, network netip.Prefix, own ...netip.Addr) (through *Entry, err error) {
	err = Dump(ctx, func(e *Entry) {
		local := slices.Contains(own, e.Original.Source) || slices.Contains(own, e.Original.Destination)
		uses := network.Contains(e.Original.Source) || network.Contains(e.Reply.Source)
		if through == nil && uses && !local && e.Mark != MessageMark && !e.Original.Destination.IsMulticast() {
			found := *e
			through = &found
		}
	})
	return through, err
}
