package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

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

// fault is something that keeps connections from a node while both nodes hear each
// other, or keeps the nodes apart.
type fault struct {
	name string
	// make makes it; nil is no fault.
	make func(ctx context.Context, s *stage) error
	// needs says what the fault needs: the external cache, the states in the
	// kernel, or its place before the connections.
	cache, kernel, before bool
	there                 bool // on the peer, which has to be asked
	// lasting connections are used for so long after it.
	inUse time.Duration
}

// faults are those that left a peer empty under a perfect heartbeat, and a lossy
// and a cut link.
func faults() []fault {
	const list = "Filter From Userspace {"
	filter := func(name, line string) fault {
		return fault{name: name, before: true, make: func(ctx context.Context, s *stage) error {
			return s.edit(ctx, s.pair.A, list, list+" "+line)
		}}
	}
	limit := func(name string, of func(*lab.Pair) *lab.Member, cache bool) fault {
		return fault{name: name, before: true, cache: cache, there: cache, make: func(ctx context.Context, s *stage) error {
			return s.edit(ctx, of(s.pair), "HashLimit", "HashLimit 5 #")
		}}
	}
	a := func(p *lab.Pair) *lab.Member { return p.A }
	b := func(p *lab.Pair) *lab.Member { return p.B }
	run := func(of func(*lab.Pair) *lab.Member, command ...string) func(context.Context, *stage) error {
		return func(ctx context.Context, s *stage) error {
			out, err := of(s.pair).Run(ctx, command[0], command[1:]...)
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
			}
			return nil
		}
	}
	ignore := "Address Ignore {"
	return []fault{
		{name: "no fault"},
		{name: "Address Ignore of the LAN", before: true, make: func(ctx context.Context, s *stage) error {
			return s.edit(ctx, s.pair.A, ignore, ignore+" IPv4_address 10.1.0.0/24")
		}},
		{name: "Address Ignore of 0.0.0.0/0", before: true, make: func(ctx context.Context, s *stage) error {
			return s.edit(ctx, s.pair.A, ignore, ignore+" IPv4_address 0.0.0.0/0")
		}},
		{name: "Address Accept of another network", before: true, make: func(ctx context.Context, s *stage) error {
			return s.edit(ctx, s.pair.A, ignore, "Address Accept { IPv4_address 203.0.113.0/24")
		}},
		filter("Protocol Accept of TCP", "Protocol Accept { TCP }"),
		filter("Protocol Ignore of UDP", "Protocol Ignore { UDP }"),
		filter("State Accept of established TCP", "State Accept { ESTABLISHED CLOSED TIME_WAIT CLOSE_WAIT for TCP }"),
		{name: "PollSecs", before: true, make: func(ctx context.Context, s *stage) error {
			return s.edit(ctx, s.pair.A, "HashSize", "PollSecs 600 HashSize")
		}},
		{name: "events off", make: run(a, "sysctl", "-qw", "net.netfilter.nf_conntrack_events=0")},
		{name: "events off on the peer", there: true, make: run(b, "sysctl", "-qw", "net.netfilter.nf_conntrack_events=0")},
		limit("HashLimit too small here", a, false),
		limit("HashLimit too small there", b, true),
		// With the external cache nothing is written there before the failover.
		{name: "kernel table full there", before: true, kernel: true, there: true, make: fillTable},
		{name: "table flushed there", kernel: true, there: true, make: run(b, "conntrack", "-F")},
		{name: "external cache flushed there", cache: true, there: true, make: run(b, "conntrackd", "-f", "external")},
		{name: "half of the messages lost", before: true, make: func(_ context.Context, s *stage) error {
			return s.pair.Sync.Drop(s.pair.A.Port, "numgen random mod 100 < 50")
		}},
		{name: "sync link cut", make: func(_ context.Context, s *stage) error { return s.pair.Sync.Cut(s.pair.A.Port) }},
		{name: "refresh off, timeouts 6 to 12 s", inUse: 15 * time.Second, before: true, make: func(ctx context.Context, s *stage) error {
			// Where nothing refreshes there is nothing to stop.
			_, _ = s.pair.A.Run(ctx, s.program, "refresh", "--stop")
			return s.setTimeouts(shortTimeouts)
		}},
	}
}

// edit changes a node's file as an operator would by hand, and restarts its daemon.
func (s *stage) edit(ctx context.Context, m *lab.Member, old, text string) error {
	script := fmt.Sprintf(`set -e
grep -q '%[2]s' %[1]s
sed -i '0,/%[2]s/s|%[2]s|%[3]s|' %[1]s
conntrackd -C %[1]s -k
while pidof conntrackd >/dev/null; do sleep 0.05; done
conntrackd -d -C %[1]s`, lab.ConfigPath, strings.ReplaceAll(old, "/", `\/`), text)
	if out, err := m.Run(ctx, "sh", "-c", script); err != nil {
		return fmt.Errorf("%s: edit the file: %w\n%s", m.Name(), err, out)
	}
	return s.pair.WaitHeard(ctx)
}

// fillTable fills the kernel's table of B, whose own events are switched off, or
// all of it would come to A.
func fillTable(ctx context.Context, s *stage) error {
	b := s.pair.B
	if err := b.Sysctl("net.netfilter.nf_conntrack_events", "0"); err != nil {
		return err
	}
	out, err := b.Run(ctx, "sysctl", "-n", "net.netfilter.nf_conntrack_max")
	if err != nil {
		return err
	}
	var most int
	if _, err := fmt.Sscan(out, &most); err != nil {
		return fmt.Errorf("nf_conntrack_max is %q: %w", out, err)
	}
	var lines strings.Builder
	for i := range most {
		fmt.Fprintf(&lines, "-I -p udp -s 172.%d.%d.%d -d 192.0.2.1 --sport 9 --dport 9 -t 900\n", 16+i>>16, i>>8&255, i&255)
	}
	cmd := b.CommandContext(ctx, "conntrack", "-R", "-")
	cmd.Stdin = strings.NewReader(lines.String())
	_ = cmd.Run() // the last of them find no room
	return b.Sysctl("net.netfilter.nf_conntrack_events", "1")
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
	s := &stage{pair, program, row{Sync: true, Cache: t.Cache, Hook: hookOurs}}
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
	for _, k := range flows.Kinds() {
		if t.Kinds[k] == 0 {
			continue
		}
		set, err := flows.Open(ctx, pair, k, t.Kinds[k])
		if err != nil {
			return f, err
		}
		sets = append(sets, set)
	}
	if err := pair.Freeze(); err != nil {
		return f, err
	}
	if err := t.inject(ctx, s, !t.Before); err != nil {
		return f, err
	}
	if err := (mixed{InUse: t.Fault.inUse}).use(ctx, s, sets); err != nil {
		return f, err
	}
	if t.Fault.there {
		// The proof asks the peer what it has; its own verdict is another.
		_, _ = pair.A.Run(ctx, program, "status", "--prove")
	}
	if f.said, err = s.status(ctx, pair.A); err != nil {
		return f, err
	}
	if err := pair.Isolate(pair.A); err != nil {
		return f, err
	}
	counts, err := s.move(mixed{}.patience(), func() error { return s.fail(ctx) }, sets)
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
		wrong = append(wrong, fmt.Sprintf("%d connections, of which status had seen %d", entries, named))
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
