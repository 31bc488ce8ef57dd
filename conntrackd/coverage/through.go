package coverage

import (
	"context"
	"net/netip"
	"slices"
)

// Through returns for each of the networks the entry of a connection that a host in it
// has with another one than the own; a network without is left out. It needs
// CAP_NET_ADMIN, and looks in the network namespace of the calling thread.
func Through(ctx context.Context, networks []netip.Prefix, own ...netip.Addr) (map[netip.Prefix]Entry, error) {
	through := map[netip.Prefix]Entry{}
	err := Dump(ctx, func(e *Entry) {
		local := slices.Contains(own, e.Original.Source) || slices.Contains(own, e.Original.Destination)
		if local || e.Mark == MessageMark || e.Original.Destination.IsMulticast() {
			return
		}
		for _, network := range networks {
			if _, known := through[network]; !known && (network.Contains(e.Original.Source) || network.Contains(e.Reply.Source)) {
				through[network] = *e
			}
		}
	})
	return through, err
}
