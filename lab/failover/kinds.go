package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"connsync/lab"
	"connsync/lab/flows"
)

// eachKind is how many connections of each kind there are.
const eachKind = 10

// mixed is a scenario with connections of every kind: node A fails, B takes over.
type mixed struct {
	row
	Name string
	// InUse is for how long connections are used before the failure; only kinds
	// that can be, TCP and UDP, are opened then.
	InUse time.Duration
	// Timeouts are kernel parameters of both nodes; nil has connections that are
	// idle live for longer than the slowest host needs.
	Timeouts map[string]string
	// Switches is how often the addresses move to the other node, both nodes up,
	// before A fails.
	Switches int
	Kinds    []flows.Kind
	// Many is how many connections there are of a kind, where it is not eachKind.
	Many map[flows.Kind]int
}

// tally is how many connections of each kind survived, and how many there were.
type tally struct {
	survived, opened map[flows.Kind]int
	said             *said // nil where nobody was asked
}

// sum is the number of conntrack entries of the connections: those that are only
// expected have none.
func (t tally) sum(of map[flows.Kind]int) int {
	n := 0
	for k, count := range of {
		if !k.Expected() {
			n += count
		}
	}
	return n
}

// said is what "connsync status --json" says of the connections.
type said struct {
	OnPeer *struct {
		Hook string `json:"failover_hook"`
	} `json:"on_peer"`
	Verdict  string `json:"verdict"`
	Cause    string `json:"cause"`
	Coverage *struct {
		Survive   int    `json:"survive"`
		Young     int    `json:"young"`
		Total     int    `json:"total"`
		Pending   bool   `json:"pending"`
		Error     string `json:"error"`
		Protocols []struct {
			Family   string `json:"family"`
			Protocol string `json:"protocol"`
			Survive  int    `json:"survive"`
		} `json:"protocols"`
	} `json:"coverage"`
}

// toldHook says that the peer has told how its hook is.
func (s *said) toldHook(h hook) bool {
	want := "runs"
	if h == hookNone {
		want = "unseen"
	}
	return s.OnPeer != nil && s.OnPeer.Hook == want
}

// aReport is longer than the time from one report of a node to its peer to the next.
const aReport = time.Minute

// status asks the node how many of its connections would survive, again while some
// have just begun, or the peer has not told yet what its hook is now.
func (s *stage) status(ctx context.Context, m *lab.Member) (*said, error) {
	began := time.Now()
	for try := 1; ; try++ {
		out, err := m.Run(ctx, s.program, "status", "--json")
		if out == "" && err != nil {
			return nil, fmt.Errorf("%s: connsync status: %w", m.Name(), err)
		}
		answer := &said{}
		// What it prints beside is on the same stream.
		if err := json.NewDecoder(strings.NewReader(out[max(0, strings.IndexByte(out, '{')):])).Decode(answer); err != nil {
			return nil, fmt.Errorf("%s: connsync status: %w\n%s", m.Name(), err, out)
		}
		if s.row.Cache && !s.mute && !answer.toldHook(s.row.Hook) {
			if time.Since(began) > aReport {
				return nil, fmt.Errorf("%s: the peer has not told of its hook for %v: %+v", m.Name(), aReport, answer.OnPeer)
			}
			if err := sleep(ctx, time.Second); err != nil {
				return nil, err
			}
			continue
		}
		if c := answer.Coverage; c == nil || c.Error == "" && c.Young == 0 && !c.Pending || try == 5 {
			return answer, nil
		}
	}
}

func (x mixed) run(ctx context.Context, program string) (t tally, err error) {
	pair, err := lab.NewPair(ctx, lab.Options{Kinds: true, IPv6: x.IPv6, NAT: x.NAT})
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	s := &stage{pair: pair, program: program, row: x.row}
	timeouts := x.Timeouts
	if timeouts == nil {
		timeouts = calmTimeouts()
	}
	if err := s.setTimeouts(timeouts); err != nil {
		return t, err
	}
	if err := s.configure(ctx); err != nil {
		return t, err
	}
	sets, err := x.open(ctx, pair)
	defer func() {
		for _, set := range sets {
			err = errors.Join(err, set.Close())
		}
	}()
	if err != nil {
		return t, err
	}
	if err := x.use(ctx, s, sets); err != nil {
		return t, err
	}
	if x.Sync {
		stop := x.keep(sets)
		t.said, err = s.status(ctx, pair.A)
		stop()
		if err != nil {
			return t, err
		}
	}
	if err := pair.Isolate(pair.A); err != nil {
		return t, err
	}
	counts, err := s.move(x.patience(), func() error { return s.fail(ctx) }, sets)
	t.opened, t.survived = map[flows.Kind]int{}, map[flows.Kind]int{}
	for i, set := range sets {
		t.opened[set.Kind] += set.Count()
		t.survived[set.Kind] += counts[i]
	}
	return t, err
}

// open opens the connections, and then lets no other one begin.
func (x mixed) open(ctx context.Context, pair *lab.Pair) (sets []*flows.Set, err error) {
	kinds := x.Kinds
	if kinds == nil {
		kinds = slices.DeleteFunc(flows.Kinds(), func(k flows.Kind) bool { return k == flows.SIPMedia })
	}
	for _, k := range kinds {
		count := eachKind
		if n, ok := x.Many[k]; ok {
			count = n
		}
		set, err := flows.Open(ctx, pair, k, count)
		if err != nil {
			return sets, err
		}
		sets = append(sets, set)
		if set.Control != nil {
			sets = append(sets, set.Control)
		}
		if x.InUse > 0 { // or the first expire while the others open
			flows.Unbroken(x.patience(), sets...)
		}
	}
	return sets, pair.Freeze()
}

// use is what becomes of the connections before the failure.
func (x mixed) use(ctx context.Context, s *stage, sets []*flows.Set) error {
	stop := x.keep(sets)
	err := sleep(ctx, x.InUse)
	stop()
	if err != nil {
		return err
	}
	for range x.Switches {
		for _, m := range []*lab.Member{s.pair.B, s.pair.A} {
			other := s.pair.Other(m)
			_, err := s.move(x.patience(), func() error {
				return errors.Join(s.pair.Activate(m), s.hook(ctx, m, "primary"), s.hook(ctx, other, "backup"))
			}, sets)
			if err != nil {
				return err
			}
		}
	}
	if x.InUse == 0 {
		return sleep(ctx, time.Second) // as long as the youngest may need
	}
	return nil
}

// keep goes on using connections that are to be in use, until stop is called; it
// returns when they are not used any more.
func (x mixed) keep(sets []*flows.Set) (stop func()) {
	if x.InUse == 0 {
		return func() {}
	}
	done := make(chan struct{})
	var using sync.WaitGroup
	for _, set := range sets { // each by itself: one that has to wait lets no other one expire
		using.Go(func() {
			for {
				set.Unbroken(x.patience())
				select {
				case <-done:
					return
				case <-time.After(time.Second):
				}
			}
		})
	}
	return func() {
		close(done)
		using.Wait()
	}
}

// patience is how long a connection may take to go on: many at once take a busy
// host longer.
func (x mixed) patience() time.Duration {
	if x.Many != nil {
		return 6 * patience
	}
	return 2 * patience
}

// move is [stage.during] for sets of every kind.
func (s *stage) move(within time.Duration, move func() error, sets []*flows.Set) ([]int, error) {
	var wait sync.WaitGroup
	wait.Go(func() { flows.Unbroken(within, sets...) })
	err := move()
	wait.Wait()
	return flows.Unbroken(within, sets...), err
}

// shortTimeouts scale ten minutes of the kernel's own timeouts, 30 and 120 s for
// UDP, to half a minute. That of TCP, five days, is shortened to the same measure.
var shortTimeouts = map[string]string{
	"net.netfilter.nf_conntrack_udp_timeout":             "6",
	"net.netfilter.nf_conntrack_udp_timeout_stream":      "6",
	"net.netfilter.nf_conntrack_tcp_timeout_established": "12",
}

// calmTimeouts keep what has begun from expiring before the failover.
func calmTimeouts() map[string]string {
	timeouts := map[string]string{}
	for _, name := range []string{
		"udp", "udp_stream", "icmp", "icmpv6", "generic", "gre", "gre_stream", "sctp_established", "tcp_syn_recv", "tcp_close_wait",
	} {
		protocol, state, _ := strings.Cut(name, "_")
		timeouts[strings.TrimSuffix("net.netfilter.nf_conntrack_"+protocol+"_timeout_"+state, "_")] = "600"
	}
	return timeouts
}

func (s *stage) setTimeouts(timeouts map[string]string) error {
	for name, value := range timeouts {
		for _, m := range []*lab.Member{s.pair.A, s.pair.B} {
			if err := m.Sysctl(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownTimeouts are the kernel's.
var ownTimeouts = map[string]string{}

const (
	scaledUse = 30 * time.Second
	longUse   = 10 * time.Minute
)

// allMixed are the scenarios with connections of every kind. The long ones use
// connections for ten minutes with the kernel's own timeouts.
func allMixed(long bool) []mixed {
	both := []bool{false, true} // the states in the kernel, or in the external cache
	all := []mixed{{Name: "every kind"}}
	for _, h := range []hook{hookNone, hookOurs} {
		for _, cache := range both {
			all = append(all, mixed{Name: "every kind", row: row{Sync: true, Cache: cache, Hook: h}})
		}
	}
	all[0].Hook = hookNone
	announced := []flows.Kind{flows.FTPPassive, flows.FTPActive, flows.SIPMedia}
	lasting := []flows.Kind{flows.TCP, flows.TCP6, flows.UDP, flows.UDP6}
	for _, cache := range both {
		ours := row{Sync: true, Cache: cache, Hook: hookOurs}
		six, unexpected := ours, ours
		six.IPv6, unexpected.Unexpected = true, true
		group := six
		group.Group = true
		all = append(all,
			mixed{Name: "every kind, IPv6 link", row: six},
			mixed{Name: "every kind, IPv6 link", row: group},
			mixed{Name: "announced", row: ours, Kinds: announced},
			mixed{Name: "announced, ExpectationSync off", row: unexpected, Kinds: announced},
			mixed{Name: "five switches and back", row: ours, Switches: 5, Kinds: []flows.Kind{flows.TCP, flows.TCP6, flows.UDP, flows.UDP6, flows.ICMP, flows.ICMP6}},
			mixed{Name: "20,000 connections", row: ours, Kinds: []flows.Kind{flows.TCP, flows.UDP},
				Many: map[flows.Kind]int{flows.TCP: 2000, flows.UDP: 18000}},
			mixed{Name: "in use 30 s, timeouts 6 to 12 s", row: ours, InUse: scaledUse, Timeouts: shortTimeouts, Kinds: lasting})
		if long {
			all = append(all, mixed{Name: "in use 10 min, own timeouts", row: ours, InUse: longUse, Timeouts: ownTimeouts, Kinds: lasting})
		}
	}
	return all
}
