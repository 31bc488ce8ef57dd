package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"connsync/lab"
)

const heading = "| connections | brought again by | on the peer | bytes per 10,000 | CPU per 10,000: conntrackd here, there, connsync | peer: lost messages, full receive buffer | longest new connection meanwhile |\n" +
	"| --- | --- | --- | --- | --- | --- | --- |\n"

// cost is what one way came to.
type cost struct {
	count, held int
	way         string
	reported    int
	used        counters
	longest     time.Duration
}

func (c cost) String() string {
	per := func(d time.Duration) string {
		return fmt.Sprintf("%.0f ms", float64(d.Milliseconds())*10000/float64(c.reported))
	}
	return fmt.Sprintf("| %d | %s | %d | %d | %s, %s, %s | %d, %d | %d ms |", c.count, c.way, c.held,
		c.used.bytes*10000/uint64(max(c.reported, 1)), per(c.used.here), per(c.used.there), per(c.used.connsync), c.used.lost, c.used.full, c.longest.Milliseconds())
}

// counters are read before and after.
type counters struct {
	bytes, lost, full     uint64
	here, there, connsync time.Duration // of the processors
}

type stage struct {
	pair    *lab.Pair
	program string
	out     *net.UDPConn // the client's connections leave by it
	count   int
}

// run measures both ways with so many UDP connections through node A.
func run(ctx context.Context, program string, count int) (rows string, err error) {
	costs, err := compare(ctx, program, count)
	for _, c := range costs {
		rows += c.String() + "\n"
	}
	return strings.TrimSuffix(rows, "\n"), err
}

func compare(ctx context.Context, program string, count int) (costs []cost, err error) {
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	s := &stage{pair: pair, program: program, count: count}
	if err := s.configure(ctx); err != nil {
		return nil, err
	}
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	if err := s.awaitPeer(ctx); err != nil {
		return nil, err
	}
	for _, way := range []struct {
		name string
		do   func(context.Context) (int, time.Duration, error)
	}{
		// The bulk comes last: what it loses is sent again for a long time.
		{"connsync refresh", s.refresh}, {"conntrackd -B", s.bulk},
	} {
		c := cost{count: count, way: way.name}
		before, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		probe := s.probe(ctx)
		if c.reported, c.used.connsync, err = way.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", way.name, err)
		}
		// What was lost is sent again within seconds.
		if err := sleep(ctx, 5*time.Second); err != nil {
			return nil, err
		}
		if c.longest, err = probe(); err != nil {
			return nil, err
		}
		after, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		c.used.bytes, c.used.lost, c.used.full = after.bytes-before.bytes, after.lost-before.lost, after.full-before.full
		c.used.here, c.used.there = after.here-before.here, after.there-before.there
		if c.held, err = entries(ctx, s.pair.B); err != nil {
			return nil, err
		}
		costs = append(costs, c)
	}
	return costs, nil
}

// configure sets up both nodes as connsync does by itself, with 65536-byte buffers.
func (s *stage) configure(ctx context.Context) error {
	for _, m := range []*lab.Member{s.pair.B, s.pair.A} {
		if err := m.Sysctl("net.netfilter.nf_conntrack_udp_timeout", "600"); err != nil {
			return err
		}
		args := []string{"apply", "--enable", "--prepare-host=false", "--accept-unknown", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", s.pair.Other(m).Sync.String()}
		if m == s.pair.B {
			args = append(args, "--first-node")
		}
		if out, err := m.Run(ctx, s.program, args...); err != nil {
			return fmt.Errorf("%s: connsync apply: %w\n%s", m.Name(), err, out)
		}
	}
	// Nobody answers, so that each datagram is a connection of its own.
	if out, err := s.pair.Server.Command("sh", "-c", "nft add table ip q && nft 'add chain ip q in { type filter hook input priority 0; }' && nft add rule ip q in meta l4proto 17 drop").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := s.pair.WaitHeard(ctx); err != nil {
		return err
	}
	return s.pair.Client.Do(func() (err error) {
		s.out, err = net.ListenUDP("udp4", nil)
		return err
	})
}

// use sends a datagram over each connection.
func (s *stage) use(ctx context.Context) error {
	const perAddress = 50000
	for i := range s.count {
		to := &net.UDPAddr{IP: net.IPv4(10, 2, 1, byte(10+i/perAddress)), Port: 1000 + i%perAddress}
		if _, err := s.out.WriteToUDP([]byte("x"), to); err != nil && !strings.Contains(err.Error(), "buffer") {
			return err
		}
		if i%100 == 99 {
			// The kernels and daemons of both nodes keep up with this.
			if err := sleep(ctx, 5*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitPeer waits until the peer's kernel has the connections.
func (s *stage) awaitPeer(ctx context.Context) error {
	for end := time.Now().Add(2 * time.Minute); ; {
		held, err := entries(ctx, s.pair.B)
		if err != nil || held >= s.count*99/100 { // a datagram may get lost
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the peer has %d of them", held)
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *stage) bulk(ctx context.Context) (int, time.Duration, error) {
	_, err := s.pair.A.Run(ctx, "conntrackd", "-B")
	return s.count, 0, err
}

func (s *stage) refresh(ctx context.Context) (int, time.Duration, error) {
	cmd := s.pair.A.CommandContext(ctx, s.program, "refresh", "--json")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	if err := sleep(ctx, time.Second); err != nil {
		return 0, 0, err
	}
	err := errors.Join(s.use(ctx), cmd.Wait())
	if err != nil {
		return 0, 0, err
	}
	refreshed := regexp.MustCompile(`"refreshed": (\d+)`).FindStringSubmatch(out.String())
	if refreshed == nil {
		return 0, 0, fmt.Errorf("it said %q", out.String())
	}
	n, err := strconv.Atoi(refreshed[1])
	return max(n, 1), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// probe opens TCP connections until the function that it returns is called, which
// says how long the slowest took.
func (s *stage) probe(ctx context.Context) func() (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	var longest time.Duration
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			began := time.Now()
			c, err := s.pair.Connect(ctx, 1)
			if err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				done <- err
				return
			}
			longest = max(longest, time.Since(began))
			c.Close()
			_ = sleep(ctx, 20*time.Millisecond)
		}
		done <- nil
	}()
	return func() (time.Duration, error) {
		cancel()
		return longest, <-done
	}
}

var (
	sentBytes    = regexp.MustCompile(`(\d+) Bytes sent`)
	lostMessages = regexp.MustCompile(`Packets lost:\s+(\d+)`)
)

func (s *stage) read(ctx context.Context) (c counters, err error) {
	a, err := s.pair.A.Run(ctx, "conntrackd", "-s", "network")
	if err != nil {
		return c, err
	}
	b, err := s.pair.B.Run(ctx, "conntrackd", "-s", "network")
	if err != nil {
		return c, err
	}
	udp, err := s.pair.B.Run(ctx, "sh", "-c", "grep ^Udp: /proc/net/snmp | tail -1")
	if err != nil {
		return c, err
	}
	if fields := strings.Fields(udp); len(fields) > 5 {
		c.full, _ = strconv.ParseUint(fields[5], 10, 64) // RcvbufErrors
	}
	c.bytes, c.lost = number(sentBytes, a), number(lostMessages, b)
	if c.here, err = processor(ctx, s.pair.A); err == nil {
		c.there, err = processor(ctx, s.pair.B)
	}
	return c, err
}

func number(pattern *regexp.Regexp, text string) uint64 {
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseUint(m[1], 10, 64)
	return n
}

// processor is the time that a node's conntrackd has had.
func processor(ctx context.Context, m *lab.Member) (time.Duration, error) {
	return used(ctx, m, "$(pidof conntrackd)")
}

// used is the processor time of a process and of its children that have ended, in ticks of
// 10 ms.
func used(ctx context.Context, m *lab.Member, pid string) (time.Duration, error) {
	out, err := m.Run(ctx, "sh", "-c", "cat /proc/"+pid+"/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(out[strings.LastIndex(out, ")")+1:])
	if len(fields) < 15 {
		return 0, fmt.Errorf("processor time: %q", out)
	}
	ticks := 0
	for _, field := range fields[11:15] { // user and system; of the children
		n, _ := strconv.Atoi(field)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

func entries(ctx context.Context, m *lab.Member) (int, error) {
	out, err := m.Run(ctx, "cat", "/proc/sys/net/netfilter/nf_conntrack_count")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
