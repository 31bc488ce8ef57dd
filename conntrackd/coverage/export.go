package coverage

import (
	"bufio"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"net/netip"
	"slices"
	"time"
)

// The lines of an export beside its entries, which stand as conntrack prints them.
const (
	exportHead  = "# connsync coverage 1 " // and the time
	exportAgain = "# again"                // the entries that have changed since follow
	exportGone  = "# gone "                // and the place of an entry that has ended since
	exportEnd   = "# end "                 // and the number of entries before exportAgain
	// exportPause is the time between the two passes.
	exportPause = secondLook + secondLook/2
)

// Export writes the connections of this node that need to survive, and after a second and a
// half which of them have changed or ended, so that who compares them knows what was on the
// move. own are addresses beside those that the node has now. It works in the network
// namespace of the calling thread and needs root.
func Export(ctx context.Context, w io.Writer, own []netip.Addr) error {
	addresses, err := readOwn(own)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w) // whose error comes with the flush
	fmt.Fprintf(out, "%s%s\n", exportHead, time.Now().UTC().Format(time.RFC3339))
	var first []moving
	var line []byte
	err = Dump(ctx, func(e *Entry) {
		if addresses.ownEntry(e) || e.ending() {
			return
		}
		first = append(first, moving{e.key(seed), e.state(), len(first)})
		line = append(e.appendText(line[:0]), '\n')
		_, _ = out.Write(line)
	})
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the connections: %w", err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(exportPause):
	}
	fmt.Fprintln(out, exportAgain)
	slices.SortFunc(first, moving.compare)
	if err := exportChanges(ctx, out, first); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s%d\n", exportEnd, len(first))
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the connections: %w", err)
	}
	return nil
}

// exportChanges writes those of the entries, which are sorted, that have another state
// now, and the places of those that have ended.
func exportChanges(ctx context.Context, out io.Writer, first []moving) error {
	still := make([]bool, len(first))
	var line []byte
	err := Dump(ctx, func(e *Entry) {
		at, known := slices.BinarySearchFunc(first, moving{key: e.key(seed)}, moving.compare)
		if !known || e.ending() {
			return
		}
		still[at] = true
		if first[at].state != e.state() {
			line = append(e.appendText(line[:0]), '\n')
			_, _ = out.Write(line)
		}
	})
	if err != nil {
		return err
	}
	for i, there := range still {
		if !there {
			fmt.Fprintf(out, "%s%d\n", exportGone, first[i].place)
		}
	}
	return nil
}

// moving is an entry in short: which it is, what may change of it, and its place in the
// export.
type moving struct {
	key   uint64
	state entryState
	place int
}

func (m moving) compare(other moving) int {
	switch {
	case m.key < other.key:
		return -1
	case m.key > other.key:
		return 1
	}
	return 0
}

// entryState is what may change of an entry while it stays the same.
type entryState struct {
	mark  uint32
	state uint8
	known bool
}

func (e *Entry) state() entryState { return entryState{e.Mark, e.State, e.HasState} }

// originalKey identifies an entry by its original direction, whatever NAT does to it.
func (e *Entry) originalKey(seed maphash.Seed) uint64 {
	original := Entry{Protocol: e.Protocol, Original: e.Original}
	original.Reply = Tuple{Source: e.Original.Destination, Destination: e.Original.Source}
	return original.key(seed)
}
