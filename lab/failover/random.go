package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"

	"connsync/lab"
	"connsync/lab/flows"
)

// trial is a random scenario: traffic of the kinds that can go on at all (see
// [flows.Kind.Lost]), one fault, and a failover at once. Where status said two-way,
// nothing may be lost that its coverage did not name.
type trial struct {
	Seed   uint64
	Cache  bool
	Kinds  map[flows.Kind]int
	Fault  fault
	Before bool // the fault is there before the connections, not after them
}

// found is what came of a trial.
type found struct {
	tally
	counterexample string // blank where there is none
}

// newTrial is the trial of a seed, the same for ever.
func newTrial(seed uint64) trial {
	r := rand.New(rand.NewPCG(seed, 9))
	t := trial{Seed: seed, Cache: r.IntN(2) == 0, Kinds: map[flows.Kind]int{}, Before: r.IntN(2) == 0}
	all := faults()
	for {
		t.Fault = all[r.IntN(len(all))]
		if t.Fault.cache && !t.Cache || t.Fault.kernel && t.Cache {
			continue
		}
		break
	}
	t.Before = t.Before || t.Fault.before
	for _, k := range flows.Kinds() {
		lasts := k == flows.TCP || k == flows.TCP6 || k == flows.UDP || k == flows.UDP6
		if n := r.IntN(16); n > 3 && k.Lost() == "" && !k.Expected() && (t.Fault.inUse == 0 || lasts) {
			t.Kinds[k] = n - 3
		}
	}
	if len(t.Kinds) == 0 {
		t.Kinds[flows.TCP] = 1 + r.IntN(12)
	}
	return t
}

func (t trial) run(ctx context.Context, program string) (f found, err error) {
	pair, err := lab.NewPair(ctx, lab.Options{Kinds: true})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	s := &stage{pair: pair, program: program, row: row{Sync: true, Cache: t.Cache, Hook: hookOurs}, mute: t.Fault.mute}
	if err := errors.Join(s.setTimeouts(calmTimeouts()), s.configure(ctx)); err != nil {
		return f, err
	}
	if err := t.inject(ctx, s, t.Before); err != nil {
		return f, err
	}
	var sets []*flows.Set
	defer func() {
		for _, set := range sets {
			err = errors.Join(err, set.Close())
		}
	}()
	if sets, err = t.open(ctx, pair); err != nil {
		return f, err
	}
	if err := t.inject(ctx, s, !t.Before); err != nil {
		return f, err
	}
	used := mixed{InUse: t.Fault.inUse}
	if err := used.use(ctx, s, sets); err != nil {
		return f, err
	}
	stop := used.keep(sets)
	if t.Fault.there {
		// In a proof each node reports what it has; its own verdict is another.
		var both sync.WaitGroup
		for _, m := range []*lab.Member{pair.A, pair.B} {
			both.Go(func() { _, _ = m.Run(ctx, program, "status", "--prove") })
		}
		both.Wait()
	}
	f.said, err = s.status(ctx, pair.A)
	stop()
	if err != nil {
		return f, err
	}
	if err := pair.Isolate(pair.A); err != nil {
		return f, err
	}
	counts, err := s.move(used.patience(), func() error { return s.fail(ctx) }, sets)
	if err != nil && !t.Fault.there { // else the hook may say, too, that something is wrong on B
		return f, err
	}
	f.opened, f.survived = map[flows.Kind]int{}, map[flows.Kind]int{}
	for i, set := range sets {
		f.opened[set.Kind], f.survived[set.Kind] = set.Count(), counts[i]
	}
	f.counterexample = f.refutes()
	return f, nil
}

// open opens the connections, and then lets no other one begin.
func (t trial) open(ctx context.Context, pair *lab.Pair) (sets []*flows.Set, err error) {
	for _, k := range flows.Kinds() {
		if t.Kinds[k] == 0 {
			continue
		}
		set, err := flows.Open(ctx, pair, k, t.Kinds[k])
		if err != nil {
			return sets, err
		}
		sets = append(sets, set)
	}
	return sets, pair.Freeze()
}

// inject makes the fault where it is its time.
func (t trial) inject(ctx context.Context, s *stage, now bool) error {
	if !now || t.Fault.make == nil {
		return nil
	}
	if err := t.Fault.make(ctx, s); err != nil {
		return fmt.Errorf("%s: %w", t.Fault.name, err)
	}
	return nil
}

// refutes says where fewer connections of a protocol survived than the coverage
// had said; blank where none, and where the verdict was another than two-way.
func (t tally) refutes() string {
	if t.said.Verdict != "two-way" {
		return ""
	}
	if t.said.Coverage == nil {
		return "two-way without a word of the connections"
	}
	if t.said.Coverage.Error != "" {
		return "two-way, and the connections could not be compared: " + t.said.Coverage.Error
	}
	var wrong []string
	for _, p := range t.said.Coverage.Protocols {
		survived := 0
		for k, n := range t.survived {
			if k.IPv6() == (p.Family == "ipv6") && protocolName(k) == p.Protocol {
				survived += n
			}
		}
		if survived < p.Survive {
			wrong = append(wrong, fmt.Sprintf("%s %s: %d would survive, %d did", p.Protocol, p.Family, p.Survive, survived))
		}
	}
	entries, named := t.sum(t.opened), t.said.Coverage.Total
	if named < entries {
		wrong = append(wrong, fmt.Sprintf("%d connections, of which status had seen %d: %+v", entries, named, t.said.Coverage.Protocols))
	}
	return strings.Join(wrong, "; ")
}

// protocolName is the name of the kind's protocol in the coverage.
func protocolName(k flows.Kind) string {
	switch k {
	case flows.UDP, flows.UDP6:
		return "udp"
	case flows.ICMP:
		return "icmp"
	case flows.ICMP6:
		return "icmpv6"
	case flows.ESP:
		return "esp"
	case flows.SCTP:
		return "sctp"
	case flows.GRE:
		return "gre"
	}
	return "tcp"
}

// String is a trial in one line.
func (t trial) String() string {
	where, when := "kernel", "after"
	if t.Cache {
		where = "external cache"
	}
	if t.Before {
		when = "before"
	}
	var traffic []string
	for _, k := range flows.Kinds() {
		if t.Kinds[k] > 0 {
			traffic = append(traffic, fmt.Sprintf("%d %s", t.Kinds[k], k))
		}
	}
	return fmt.Sprintf("seed %d: %s, %s (%s the connections); %s", t.Seed, where, t.Fault.name, when, strings.Join(traffic, ", "))
}

// showRandom runs trials from a seed on and prints each with what came of it.
func showRandom(ctx context.Context, out io.Writer, program string, parallel int, seed uint64, runs int) error {
	done := startRandom(ctx, program, parallel, seed, runs)
	var errs []error
	for i := range runs {
		t, o := newTrial(seed+uint64(i)), <-done[i]
		fmt.Fprintln(out, t)
		switch {
		case o.err != nil:
			fmt.Fprintln(out, "  could not be run")
			errs = append(errs, fmt.Errorf("seed %d: %w", t.Seed, o.err))
		case o.of.counterexample != "":
			fmt.Fprintf(out, "  COUNTEREXAMPLE: %s\n", o.of.counterexample)
			errs = append(errs, fmt.Errorf("seed %d: %s", t.Seed, o.of.counterexample))
		default:
			fmt.Fprintf(out, "  ok: said %s; %d of %d survived\n", o.of.said, o.of.sum(o.of.survived), o.of.sum(o.of.opened))
		}
	}
	return errors.Join(errs...)
}

func startRandom(ctx context.Context, program string, parallel int, seed uint64, runs int) []chan outcome[found] {
	return start(ctx, parallel, runs, func(ctx context.Context, i int) (found, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return newTrial(seed+uint64(i)).run(ctx, program)
	})
}
