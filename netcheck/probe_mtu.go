package netcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/packet"
)

const (
	mtuFirstWait  = 100 * time.Millisecond // for replies; a wire needs a hundredth
	mtuSecondWait = 200 * time.Millisecond // for what was tried once more
	mtuRounds     = 6
	mtuPerRound   = 12
)

// runPathMTU asks whether packets as large as the interface's MTU reach the
// peer. conntrackd fills its datagrams to that MTU when it sends many states
// at once; when they vanish, a heartbeat and single states still pass, and a
// resynchronisation does not.
func runPathMTU(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		link, err := linkNamed(t.Interface)
		if err != nil {
			return check.CouldNotRun(err)
		}
		if f, ok := refusedRoute(t, link); ok {
			return f
		}
		k, err := openEcho(ctx, t, link)
		if err != nil {
			return cannotTalk(ctx, t, link, err, "echo requests", "no echo request could be made")
		}
		defer k.close()
		if err := k.dontFragment(); err != nil {
			return check.CouldNotRun(fmt.Errorf("forbid fragments: %w", err))
		}
		m := &measurement{talk: k, overhead: 20 + 8}
		if t.Family() == 6 {
			m.overhead = packet.IPv6HeaderSize + 8
		}
		mtu, err := m.measure(ctx, link.MTU)
		if err == nil && mtu == 0 && k.strays > 0 {
			return allAstray(t, link, k.astray)
		}
		return judgeMTU(ctx, t, link, mtu, err)
	}
}

func judgeMTU(ctx context.Context, t Target, link Interface, mtu int, err error) check.Finding {
	peer := t.Peer.Addr().Unmap()
	var r *refusal
	switch {
	case errors.As(err, &r):
		return explainRefusal(ctx, t, link, err, "echo requests")
	case err != nil:
		return check.CouldNotRun(err)
	case mtu == 0:
		return check.Finding{Status: check.Unknown, Remedy: t.pingRule(),
			Detail: fmt.Sprintf("%v does not answer echo requests, so the packet size that reaches it cannot be measured", peer)}
	case mtu < link.MTU:
		return check.Fail(fmt.Sprintf("ip link set dev %s mtu %d, and the same on the peer; or raise the MTU of the switch and the peer to %d", link.Name, mtu, link.MTU),
			"packets of %d bytes, the MTU of %s, vanish on the way to %v and back; the largest that pass have %d bytes", link.MTU, link.Name, peer, mtu)
	}
	return check.Pass("unfragmented packets of %d bytes, the MTU of %s, reach %v and come back", mtu, link.Name, peer)
}

// measurement finds the largest packet that is answered.
type measurement struct {
	talk     *talk
	overhead int // of IP and ICMP headers
	sequence int
}

// measure returns the size of the largest IP packet, up to mtu, that the peer
// echoes; 0 when it echoes none.
func (m *measurement) measure(ctx context.Context, mtu int) (int, error) {
	least := m.overhead + 24
	if mtu <= least {
		return 0, fmt.Errorf("an MTU of %d is too small to measure", mtu)
	}
	low, high := 0, mtu+1 // low passes, high does not
	sizes := []int{least, mtu}
	for round := 0; high-low > 1 && round <= mtuRounds; round++ {
		passing, err := m.try(ctx, sizes)
		if err != nil {
			return 0, err
		}
		if len(passing) == 0 && low == 0 {
			return 0, nil
		}
		if len(passing) > 0 {
			low = slices.Max(passing)
		}
		for _, s := range sizes {
			if s > low {
				high = min(high, s)
			}
		}
		sizes = between(low, high, round == 0)
	}
	return low, nil
}

// between picks sizes to try between one that passes and one that does not,
// at first also those that networks are usually made for.
func between(low, high int, usual bool) []int {
	var sizes []int
	step := max((high-low)/(mtuPerRound+1), 1)
	for s := low + step; s < high && len(sizes) < mtuPerRound; s += step {
		sizes = append(sizes, s)
	}
	if usual {
		for _, s := range []int{1280, 1400, 1420, 1450, 1480, 1492, 1500, 2000, 4000, 4470, 8000, 8950, 9000} {
			// The next one up fails, so that this one is exact.
			sizes = append(sizes, s, s+1)
		}
		sizes = slices.DeleteFunc(sizes, func(s int) bool { return s <= low || s >= high })
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// try sends echo requests of the given packet sizes, twice those that are not
// answered at once, and returns the sizes that were.
func (m *measurement) try(ctx context.Context, sizes []int) ([]int, error) {
	first := m.sequence
	m.sequence += len(sizes)
	var passing []int
	for _, wait := range []time.Duration{mtuFirstWait, mtuSecondWait} {
		if err := m.send(ctx, sizes, first, passing); err != nil {
			return nil, err
		}
		hearing, stop := context.WithTimeout(ctx, wait)
		var err error
		passing, err = m.collect(hearing, sizes, first, passing)
		stop()
		if err != nil || len(passing) == len(sizes) {
			return passing, err
		}
	}
	return passing, nil
}

func (m *measurement) send(ctx context.Context, sizes []int, first int, but []int) error {
	for i, size := range sizes {
		if slices.Contains(but, size) {
			continue
		}
		err := m.talk.echo(ctx, first+i, size-m.overhead)
		switch {
		case errors.Is(err, unix.EMSGSIZE), errors.Is(err, unix.ENOBUFS):
			// Too large for the interface, or for a router that says so.
		case err != nil:
			return err
		}
	}
	return nil
}

// collect adds the sizes that are answered until ctx ends.
func (m *measurement) collect(ctx context.Context, sizes []int, first int, passing []int) ([]int, error) {
	for len(passing) < len(sizes) {
		sequence, err := m.talk.hearEcho(ctx)
		switch i := sequence - first; {
		case errors.Is(err, context.DeadlineExceeded):
			return passing, nil
		case errors.Is(err, unix.EMSGSIZE):
		case err != nil:
			return nil, err
		case i >= 0 && i < len(sizes) && !slices.Contains(passing, sizes[i]):
			passing = append(passing, sizes[i])
		}
	}
	return passing, nil
}
