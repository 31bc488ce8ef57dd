package health

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/pairtest"
)

// load makes rate states a second in the node's table, each with its own pair
// of ports, until ctx ends.
func load(ctx context.Context, n *pairtest.Node, rate int) {
	const step = 20 * time.Millisecond
	n.Do(func() error {
		if err := netlink.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
			return err
		}
		ticker := time.NewTicker(step)
		defer ticker.Stop()
		for i := 0; ctx.Err() == nil; <-ticker.C {
			for range rate * int(step) / int(time.Second) {
				i++
				if err := netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, testFlow(i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func testFlow(i int) *netlink.ConntrackFlow {
	client, server := net.IPv4(10, 1, 0, 10).To4(), net.IPv4(10, 2, byte(i/40000), 10).To4()
	sport, dport := uint16(10000+i%40000), uint16(80)
	return &netlink.ConntrackFlow{
		FamilyType: unix.AF_INET, TimeOut: 60,
		Forward: netlink.IPTuple{SrcIP: client, DstIP: server, Protocol: unix.IPPROTO_UDP, SrcPort: sport, DstPort: dport},
		Reverse: netlink.IPTuple{SrcIP: server, DstIP: client, Protocol: unix.IPPROTO_UDP, SrcPort: dport, DstPort: sport},
	}
}

// The same judge under load, where no node is idle and acknowledgements are
// rare. Each scenario begins before anybody listens, as a person who calls for
// the status does.
func TestHealthUnderLoad(t *testing.T) {
	small := func(config string) string {
		return conntracktest.Swap(config, "RcvSocketBuffer 131072", "RcvSocketBuffer 1")
	}
	for _, tt := range []struct {
		scenario
		fromA bool // the states are born on a, the node that is observed
		rate  int
	}{
		{scenario: scenario{name: "busy-active", want: VerdictTwoWay, connections: true}, fromA: true, rate: 1000},
		{scenario: scenario{name: "busy-backup", want: VerdictTwoWay, connections: true}, rate: 1000},
		{scenario: scenario{name: "busy-peer-alarm", want: VerdictMismatch, cause: "another Mode than FTFW", peer: asAlarm}, rate: 100},
		{scenario: scenario{name: "busy-active-peer-input-dropped", want: VerdictReceivingOnly, connections: true, unconfirmed: true, late: func(_, b *pairtest.Node) {
			nft(b, "input", "udp dport 3780 drop")
		}}, fromA: true, rate: 1000},
		{scenario: scenario{name: "flood-small-buffer", want: VerdictLosing, cause: "the receive buffer of 2304 bytes overflowed", own: small}, rate: 10000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &tt.scenario
			s.start(t)
			time.Sleep(pairtest.Contact)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			from := s.b
			if tt.fromA {
				from = s.a
			}
			go func() {
				defer close(done)
				load(ctx, from, tt.rate)
			}()
			defer func() { cancel(); <-done }()
			time.Sleep(time.Second)
			if s.late != nil {
				s.late(s.a, s.b)
			}
			s.watch(t)
			s.judge(t)
			if c := s.last.coverage; s.connections && (c == nil || c.Lost() > 0) {
				t.Errorf("connections: %+v", c)
			}
		})
	}
}

// watch is what the status command does: it looks for five seconds.
func (s *scenario) watch(t *testing.T) {
	begin, first := time.Now(), ""
	s.a.Do(func() error {
		if err := s.observer.Start(t.Context()); err != nil {
			return err
		}
		for time.Since(begin) < 5*time.Second {
			s.last = s.observer.gather(t.Context())
			if h := s.last.health(); first == "" && h.Verdict == s.want && strings.Contains(h.Cause, s.cause) {
				first = time.Since(begin).Round(time.Millisecond).String()
			}
			time.Sleep(250 * time.Millisecond)
		}
		return nil
	})
	t.Logf("%s first after %s", s.want, first)
}
