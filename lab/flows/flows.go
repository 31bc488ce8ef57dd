// Package flows makes connections of every kind through a pair of nodes, and
// says which of them were never interrupted for long enough to fail: TCP, UDP,
// ICMP, SCTP, GRE and ESP, TCP that is half open or half closed, and the data
// connections of FTP and media of SIP that are announced and not yet opened.
package flows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"connsync/lab"
)

// Kind is a kind of connection.
type Kind string

// The kinds that there are. A number behind a name is that of the IP version.
const (
	TCP        Kind = "TCP"
	TCP6       Kind = "TCP, IPv6"
	UDP        Kind = "UDP"
	UDP6       Kind = "UDP, IPv6"
	ICMP       Kind = "ICMP"
	ICMP6      Kind = "ICMPv6"
	SCTP       Kind = "SCTP"
	GRE        Kind = "GRE"
	ESP        Kind = "ESP"
	HalfClosed Kind = "TCP, half closed"
	HalfOpen   Kind = "TCP, SYN_RECV"
	FTPControl Kind = "FTP"
	FTPPassive Kind = "FTP data, passive"
	FTPActive  Kind = "FTP data, active"
	SIPControl Kind = "SIP"
	SIPMedia   Kind = "SIP media"
)

// Kinds are all of them, but for FTPControl and SIPControl, which those that they announce
// bring along.
func Kinds() []Kind {
	return []Kind{TCP, TCP6, UDP, UDP6, ICMP, ICMP6, SCTP, GRE, ESP, HalfClosed, HalfOpen, FTPPassive, FTPActive, SIPMedia}
}

// IPv6 reports whether the kind's packets are those of IPv6.
func (k Kind) IPv6() bool { return k == TCP6 || k == UDP6 || k == ICMP6 }

// Pending reports whether the kind's connections have only been announced when
// [Open] returns: no packet of theirs has gone both ways.
func (k Kind) Pending() bool { return k == HalfOpen || k.Expected() }

// Expected reports whether the kind's connections are expected by another
// connection's helper.
func (k Kind) Expected() bool { return k == FTPPassive || k == FTPActive || k == SIPMedia }

// flow is one connection. Answers sends something new over it and reports
// whether the answer to that came before the deadline.
type flow interface {
	answers(round int, deadline time.Time) bool
	io.Closer
}

// Set is some connections of one kind.
type Set struct {
	Kind Kind
	// Control are the connections that have announced these; nil for kinds that
	// are not expected. They end with this set.
	Control *Set

	flows []flow
	lost  []bool
	round int
	also  []io.Closer // the other ends
}

// patience is how long a connection may take to begin.
const patience = 10 * time.Second

// Open opens count connections of a kind through a pair with [lab.Options].Kinds.
func Open(ctx context.Context, p *lab.Pair, kind Kind, count int) (*Set, error) {
	s := &Set{Kind: kind, lost: make([]bool, count)}
	if err := s.open(ctx, p, count); err != nil {
		return nil, errors.Join(fmt.Errorf("open %d connections, %s: %w", count, kind, err), s.Close())
	}
	if kind.Pending() {
		return s, nil
	}
	if got := s.Unbroken(patience); got != count {
		return nil, errors.Join(fmt.Errorf("%d of %d new connections work, %s", got, count, kind), s.Close())
	}
	return s, nil
}

func (s *Set) open(ctx context.Context, p *lab.Pair, count int) error {
	switch s.Kind {
	case UDP, UDP6:
		if count > 2*gridPorts {
			return s.openGrid(p, count)
		}
		return s.openUDP(p, count)
	case ICMP, ICMP6:
		return s.openICMP(p, count)
	case GRE, ESP:
		return s.openPortless(p, count)
	case SCTP:
		return s.openSCTP(p, count)
	case HalfOpen:
		return s.openHalf(ctx, p, count)
	case HalfClosed:
		return s.openHalfClosed(ctx, p, count)
	case FTPPassive, FTPActive:
		return s.openFTP(ctx, p, count)
	case SIPMedia:
		return s.openSIP(ctx, p, count)
	}
	return s.openTCP(ctx, p, count)
}

// Unbroken is [Set.Unbroken] of several sets at once, in their order.
func Unbroken(within time.Duration, sets ...*Set) []int {
	counts := make([]int, len(sets))
	var wait sync.WaitGroup
	for i, s := range sets {
		wait.Go(func() { counts[i] = s.Unbroken(within) })
	}
	wait.Wait()
	return counts
}

// Count is how many connections there are.
func (s *Set) Count() int { return len(s.flows) }

// Unbroken sends something over each connection that has never failed, and
// returns how many of them answered within the time given. A pending connection
// is opened first.
func (s *Set) Unbroken(within time.Duration) int {
	s.round++
	deadline := time.Now().Add(within)
	var wait sync.WaitGroup
	for i, f := range s.flows {
		if !s.lost[i] {
			wait.Go(func() { s.lost[i] = !f.answers(s.round, deadline) })
		}
	}
	wait.Wait()
	count := 0
	for i := range s.flows {
		if !s.lost[i] {
			count++
		}
	}
	return count
}

// Close ends all connections.
func (s *Set) Close() error {
	var errs []error
	if s.Control != nil {
		errs = append(errs, s.Control.Close())
	}
	for _, f := range s.flows {
		errs = append(errs, f.Close())
	}
	for _, c := range s.also {
		errs = append(errs, c.Close())
	}
	s.flows, s.also = nil, nil
	return errors.Join(errs...)
}

// Lost says why no connection of the kind survives a failover, whatever is
// replicated; blank for the others.
func (k Kind) Lost() string {
	switch k {
	case SCTP:
		return "conntrackd sets a flag for TCP in every entry that it writes, which changes the verification tag of SCTP; not with TCPWindowTracking on"
	case GRE:
		return "the kernel gives no lifetime to a GRE entry that it has not made itself, and drops it with the first packet"
	}
	return ""
}
