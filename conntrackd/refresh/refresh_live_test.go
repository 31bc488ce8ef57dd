package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/refresh"
	"connsync/lab"
)

// Lifetimes of the tests, in seconds: less than half of the kernel's for UDP streams. With
// shorter ones a busy host has no time for the three looks that a refresh takes.
const (
	tcpLifetime = 75
	udpLifetime = 50
)

// agingPair is a pair whose daemons write the states into the kernel and whose
// entries end soon.
func agingPair(t *testing.T) *lab.Pair {
	t.Helper()
	p, err := lab.NewPair(t.Context(), lab.Options{})
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	for _, m := range []*lab.Member{p.A, p.B} {
		for name, seconds := range map[string]int{"tcp_timeout_established": tcpLifetime, "udp_timeout": udpLifetime, "udp_timeout_stream": udpLifetime} {
			if err := m.Sysctl("net.netfilter.nf_conntrack_"+name, fmt.Sprint(seconds)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.StartDaemons(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// refreshing runs a Refresher in a node until the test or stop ends it.
func refreshing(t *testing.T, m *lab.Member, interval time.Duration, each func(refresh.Round)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := m.Do(func() error {
			r, err := refresh.New()
			if err != nil {
				return err
			}
			defer r.Close()
			r.Own = []netip.Addr{netip.MustParseAddr("10.0.0.101"), netip.MustParseAddr("10.0.0.102")}
			for {
				round, err := r.Look(ctx, interval)
				if err == nil {
					each(round)
					err = r.Await(ctx, interval-round.Took)
				}
				if err != nil {
					return err
				}
			}
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("refresh on %s: %v", m.Name(), err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

// datagrams are UDP connections from a pair's client to its server.
type datagrams struct {
	conns []*net.UDPConn
}

func openDatagrams(t *testing.T, p *lab.Pair, count int) *datagrams {
	t.Helper()
	var server net.PacketConn
	if err := p.Server.Do(func() (err error) {
		server, err = net.ListenPacket("udp4", "10.2.0.10:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(buf[:n], from)
		}
	}()
	d := &datagrams{}
	to := server.LocalAddr().(*net.UDPAddr)
	if err := p.Client.Do(func() error {
		for range count {
			c, err := net.DialUDP("udp4", nil, to)
			if err != nil {
				return err
			}
			d.conns = append(d.conns, c)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range d.conns {
			c.Close()
		}
	})
	return d
}

func (d *datagrams) send() {
	for _, c := range d.conns {
		_, _ = c.Write([]byte("x"))
	}
}

func (d *datagrams) ends() []lab.Ends {
	var list []lab.Ends
	for _, c := range d.conns {
		list = append(list, lab.EndsOf(c))
	}
	return list
}

// idleConnections are TCP connections of which neither end sends anything, not
// even keepalives.
func idleConnections(t *testing.T, p *lab.Pair, count int) (idle []lab.Ends) {
	t.Helper()
	var server net.Listener
	if err := p.Server.Do(func() (err error) {
		server, err = (&net.ListenConfig{KeepAlive: -1}).Listen(t.Context(), "tcp4", "10.2.0.10:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	dialer := net.Dialer{KeepAlive: -1}
	if err := p.Client.Do(func() error {
		for range count {
			c, err := dialer.DialContext(t.Context(), "tcp4", server.Addr().String())
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			idle = append(idle, lab.EndsOf(c))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return idle
}

// holds counts the connections that a node's kernel has.
func holds(t *testing.T, m *lab.Member, protocol uint8, ends []lab.Ends) int {
	t.Helper()
	return keeps(t, m, protocol, ends, 0)
}

// keeps counts those that it has for so long at least, without a packet.
func keeps(t *testing.T, m *lab.Member, protocol uint8, ends []lab.Ends, left time.Duration) int {
	t.Helper()
	flows, err := m.Flows()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, f := range flows {
		if f.Protocol == protocol && slices.Contains(ends, f.Ends) && f.Timeout >= left {
			count++
		}
	}
	return count
}

// In use for twice the longest lifetime, 100 of 100 of each protocol are
// in the peer's kernel and go on over it; without a refresh there are none. What
// is idle ends on both nodes.
func TestConnectionsInUseStayOnPeer(t *testing.T) {
	t.Parallel()
	for _, refreshed := range []bool{true, false} {
		t.Run(fmt.Sprintf("refreshed=%v", refreshed), func(t *testing.T) {
			t.Parallel()
			p := agingPair(t)
			var mu sync.Mutex
			reports := map[string]int{}
			if refreshed {
				for _, m := range []*lab.Member{p.A, p.B} {
					refreshing(t, m, refresh.Interval(udpLifetime*time.Second), func(r refresh.Round) {
						mu.Lock()
						defer mu.Unlock()
						reports[m.Name()] += r.Refreshed
					})
				}
			}
			tcp, err := p.Connect(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			defer tcp.Close()
			idleTCP := idleConnections(t, p, 20)
			udp, idleUDP := openDatagrams(t, p, 100), openDatagrams(t, p, 20)
			idleUDP.send()
			for end := time.Now().Add(2 * tcpLifetime * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
				udp.send()
				if alive := tcp.Alive(time.Minute); alive != 100 {
					t.Fatalf("%d of 100 connections are alive over A", alive)
				}
			}
			want := map[bool]int{true: 100, false: 0}[refreshed]
			gotTCP, gotUDP := holds(t, p.B, unix.IPPROTO_TCP, tcp.Ends()), holds(t, p.B, unix.IPPROTO_UDP, udp.ends())
			if gotTCP != want || gotUDP != want {
				t.Errorf("B has %d TCP and %d UDP of those in use, want %d each", gotTCP, gotUDP, want)
			}
			if n := holds(t, p.B, unix.IPPROTO_TCP, idleTCP) + holds(t, p.B, unix.IPPROTO_UDP, idleUDP.ends()); n != 0 {
				t.Errorf("B has %d of the idle ones", n)
			}
			mu.Lock()
			t.Logf("reports: %v", reports)
			if reports["fw-b"] != 0 {
				t.Errorf("the backup reported %d entries that only the peer uses", reports["fw-b"])
			}
			mu.Unlock()
			if err := errors.Join(p.Isolate(p.A), p.Activate(p.B)); err != nil {
				t.Fatal(err)
			}
			if alive := tcp.Alive(15 * time.Second); alive != want {
				t.Errorf("%d of 100 connections go on over B, want %d", alive, want)
			}
		})
	}
}

// The addresses move while both nodes live, and nobody tells conntrackd: B, which
// has made no event of these connections, keeps them alive on both nodes, and their
// end on A does not end them on B. What ends on B ends on A, too.
func TestSwitchMovesTheRefresh(t *testing.T) {
	t.Parallel()
	p := agingPair(t)
	var mu sync.Mutex
	reports := map[string]int{}
	for _, m := range []*lab.Member{p.A, p.B} {
		refreshing(t, m, refresh.Interval(udpLifetime*time.Second), func(r refresh.Round) {
			mu.Lock()
			defer mu.Unlock()
			reports[m.Name()] += r.Refreshed
		})
	}
	tcp, err := p.Connect(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp := openDatagrams(t, p, 100)
	moved := time.Now()
	use := func(d time.Duration) {
		t.Helper()
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
			udp.send()
			if alive := tcp.Alive(time.Minute); alive != 100 {
				t.Fatalf("%d of 100 connections are alive %v after the switch; %s", alive, time.Since(moved), absent(t, p, tcp.Ends()))
			}
		}
	}
	use(udpLifetime * time.Second)
	// A slow host has its rounds late: what expired meanwhile comes with the next one. They
	// may not expire while the addresses move either.
	keep := func(left time.Duration, members ...*lab.Member) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; use(time.Second) {
			var short []string
			for _, m := range members {
				gotTCP, gotUDP := keeps(t, m, unix.IPPROTO_TCP, tcp.Ends(), left), keeps(t, m, unix.IPPROTO_UDP, udp.ends(), left)
				if gotTCP != 100 || gotUDP != 100 {
					short = append(short, fmt.Sprintf("%s has %d TCP and %d UDP for %v, want 100 each", m.Name(), gotTCP, gotUDP, left))
				}
			}
			if len(short) == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatal(short)
			}
		}
	}
	keep(udpLifetime*time.Second/2, p.B)
	if err := p.Activate(p.B); err != nil {
		t.Fatal(err)
	}
	moved = time.Now()
	mu.Lock()
	before := reports["fw-b"]
	mu.Unlock()
	use(2 * tcpLifetime * time.Second)
	keep(0, p.A, p.B)
	mu.Lock()
	if reports["fw-b"] == before {
		t.Error("B has reported nothing since it has the addresses")
	}
	mu.Unlock()
	connections := tcp.Ends()
	tcp.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		open := established(t, p.A, connections) + established(t, p.B, connections)
		if open == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d entries of connections that have ended are established", open)
		}
	}
	// A refresh would bring them back within a lifetime.
	for end := time.Now().Add(udpLifetime * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if open := established(t, p.A, connections) + established(t, p.B, connections); open != 0 {
			t.Fatalf("%d entries of connections that have ended came back", open)
		}
	}
}

func established(t *testing.T, m *lab.Member, connections []lab.Ends) int {
	t.Helper()
	flows, err := m.Flows()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, f := range flows {
		if f.Established && slices.Contains(connections, f.Ends) {
			count++
		}
	}
	return count
}

// absent says which of the connections a node lacks.
func absent(t *testing.T, p *lab.Pair, connections []lab.Ends) string {
	t.Helper()
	var b strings.Builder
	for _, m := range []*lab.Member{p.A, p.B} {
		flows, err := m.Flows()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range connections {
			if !slices.ContainsFunc(flows, func(f lab.Flow) bool { return f.Ends == c }) {
				fmt.Fprintf(&b, "%s lacks %v; ", m.Name(), c)
			}
		}
	}
	return b.String()
}
