package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/coverage"
)

// Box is where the reports of the two nodes lie: this kernel's table, and the external
// cache where the daemon has one. Its methods work in the network namespace of the
// calling thread and need CAP_NET_ADMIN.
type Box struct {
	// Low says that this node has the lower of the two sync addresses: so both nodes
	// agree whose report is whose.
	Low bool
	// Lifetime is how long a report lies in the box; zero is [Lifetime]. Both nodes have
	// the same.
	Lifetime time.Duration
	// Connections reads the external cache; nil where the peer's entries go straight into
	// the kernel.
	Connections *coverage.Looker
}

// Lifetime is how long a report lies in the box. The refresh writes one every half minute,
// at a very large table every minute.
const Lifetime = 90 * time.Second

// Told is the newest report of the peer.
type Told struct {
	Report
	Age time.Duration // in whole seconds, since the peer wrote it
}

// Leave puts this node's report into the kernel in place of the one before, for the
// daemon to replicate. In a full table it takes the place of the one before: so that
// the peer is told of the full table too.
func (b Box) Leave(ctx context.Context, r Report) error {
	before, err := b.own(ctx)
	if err != nil {
		return err
	}
	r.Sequence = uint16(time.Now().Unix())
	carries := r.carrier(b.Low)
	err = carries.put(b.lifetime())
	if errors.Is(err, unix.ENOMEM) && len(before) > 0 {
		for try := 0; try < 3 && errors.Is(err, unix.ENOMEM); try++ {
			if try < len(before) {
				_ = before[try].remove()
			}
			err = carries.put(b.lifetime())
		}
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("put the report for the peer into the connection table: %w", err)
	}
	for _, old := range before {
		if old != carries {
			if err := old.remove(); err != nil {
				return fmt.Errorf("remove the last report for the peer from the connection table: %w", err)
			}
		}
	}
	return nil
}

// Entry is what a report of this node travels in.
func (b Box) Entry(r Report) *coverage.Entry {
	c := r.carrier(b.Low)
	return &coverage.Entry{
		Protocol: unix.IPPROTO_UDP, Mark: coverage.MessageMark, Timeout: uint32(b.lifetime() / time.Second),
		Original: coverage.Tuple{Source: c.source, Destination: c.destination, SourcePort: c.sourcePort, DestinationPort: c.destinationPort},
		Reply:    coverage.Tuple{Source: c.destination, Destination: c.source, SourcePort: c.destinationPort, DestinationPort: c.sourcePort},
	}
}

func (b Box) lifetime() time.Duration { return cmp.Or(b.Lifetime, Lifetime) }

// own are the entries of this node's reports.
func (b Box) own(ctx context.Context) (carriers []carrier, err error) {
	err = coverage.DumpMarked(ctx, coverage.MessageMark, func(e *coverage.Entry) {
		c := carrierOf(e)
		if _, low, ok := c.report(); ok && low == b.Low {
			carriers = append(carriers, c)
		}
	})
	return carriers, err
}

func carrierOf(e *coverage.Entry) carrier {
	o := &e.Original
	return carrier{o.Source, o.Destination, o.SourcePort, o.DestinationPort}
}

// Peer returns the peer's newest report; nil where there is none, or none that this
// version can read. external is how many connections the external cache holds.
func (b Box) Peer(ctx context.Context) (newest *Told, external int, err error) {
	external, err = b.peers(ctx, func(t Told) {
		if newest == nil || t.Age < newest.Age || t.Age == newest.Age && int16(t.Sequence-newest.Sequence) > 0 {
			newest = &t
		}
	})
	return newest, external, err
}

// Reports is how many of the peer's states are reports, and no connections.
func (b Box) Reports(ctx context.Context) (count int, err error) {
	_, err = b.peers(ctx, func(Told) { count++ })
	return count, err
}

// peers passes each report of the peer to do.
func (b Box) peers(ctx context.Context, do func(Told)) (external int, err error) {
	take := func(e *coverage.Entry, age time.Duration) {
		if r, low, ok := carrierOf(e).report(); ok && low != b.Low {
			do(Told{r, age})
		}
	}
	if b.Connections != nil {
		return b.Connections.External(ctx, take)
	}
	return 0, coverage.DumpMarked(ctx, coverage.MessageMark, func(e *coverage.Entry) {
		take(e, max(b.lifetime()-time.Duration(e.Timeout)*time.Second, 0))
	})
}
