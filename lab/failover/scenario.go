package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"connsync/lab"
)

// connections is how many there are before the failure, and how many are born
// on node B meanwhile.
const connections = 200

// hook is what tells conntrackd of a failover.
type hook string

const (
	hookNone       hook = "no hook"
	hookOurs       hook = "connsync failover"
	hookKeepalived hook = "keepalived, which calls connsync failover"
)

// row is one scenario: node A fails, B takes over, A returns and becomes primary again.
type row struct {
	Sync  bool
	Cache bool // the peer's states stay in the external cache until they are committed
	Hook  hook
	NAT   bool
	// Masquerade is NAT to an address that stays with its node.
	Masquerade bool
	Crashed    bool // A returns empty, not as it was
	IPv6       bool // of the sync link
	// Mode is the sync's as it is typed; blank is FTFW.
	Mode string
	// Unexpected says that no expectation is synchronised.
	Unexpected bool
	// Group says that the nodes send to a multicast group, and that A is set up by B's peer line.
	Group bool
}

const (
	modeNotrack = "notrack"
	modeAlarm   = "alarm"
)

// alarmRefresh is the RefreshTime of mode ALARM, in seconds: there a node that comes back
// asks for nothing, and has the peer's states once they were sent again.
const alarmRefresh = 5

// kept reports whether the failover is promised to keep the connections: their
// states are in B's kernel, or the hook puts them there.
func (r row) kept() bool { return r.Sync && (!r.Cache || r.Hook != hookNone) }

// result is how many connections were never interrupted for long enough to
// fail: a connection that was lost once stays lost.
type result struct {
	OverB    int    // of those before, over B
	Before   int    // of those before, back on A
	Meantime int    // of those born on B, back on A
	Said     *said  // on A, before the failure; nil where nobody was asked
	Hooks    string // what connsync failover printed, each time
}

func (r result) counts() [3]int { return [3]int{r.OverB, r.Before, r.Meantime} }

// patience is how long a connection may take to answer over its new node. TCP
// sends again 6.2 s after the first packet that was lost, and then at 12.6 s.
const patience = 10 * time.Second

// stage is a pair of nodes and the program that is shown on it.
type stage struct {
	pair    *lab.Pair
	program string
	row     row
	mute    bool                   // the peer can tell nothing of itself
	links   map[*lab.Member]string // the spare link of each node, as it is typed; nil for none
	hooks   strings.Builder        // what connsync failover printed
}

func (r row) run(ctx context.Context, program string) (res result, err error) {
	pair, err := lab.NewPair(ctx, lab.Options{NAT: r.NAT, Masquerade: r.Masquerade})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	s := &stage{pair: pair, program: program, row: r}
	if err := s.configure(ctx); err != nil {
		return res, err
	}
	before, err := s.connect(ctx)
	if err != nil {
		return res, err
	}
	defer before.Close()
	if err := s.replicated(ctx, s.pair.B, before, connections); err != nil {
		return res, err
	}
	if r.Sync {
		if res.Said, err = s.status(ctx, pair.A); err != nil {
			return res, err
		}
	}

	if err := s.pair.Isolate(s.pair.A); err != nil {
		return res, err
	}
	counts, err := s.during(func() error { return s.fail(ctx) }, before)
	if err != nil {
		return res, fmt.Errorf("node A fails: %w", err)
	}
	res.OverB = counts[0]
	meantime, err := s.connect(ctx)
	if err != nil {
		return res, err
	}
	defer meantime.Close()

	if err := s.rejoin(ctx); err != nil {
		return res, fmt.Errorf("node A returns: %w", err)
	}
	if counts, err = s.during(func() error { return s.takeBack(ctx) }, before, meantime); err != nil {
		return res, fmt.Errorf("node A becomes primary again: %w", err)
	}
	res.Before, res.Meantime, res.Hooks = counts[0], counts[1], s.hooks.String()
	return res, nil
}

// configure sets both nodes up with connsync, as an operator would.
func (s *stage) configure(ctx context.Context) error {
	if s.row.Hook == hookKeepalived {
		if err := s.setUpKeepalived(ctx); err != nil {
			return err
		}
	}
	if s.row.Sync {
		for _, m := range []*lab.Member{s.pair.B, s.pair.A} {
			current, peer := m.Sync, s.pair.Other(m).Sync
			if s.row.IPv6 {
				current, peer = m.Sync6, s.pair.Other(m).Sync6
			}
			args := []string{"apply", "--enable", "--interface", lab.SyncInterface, "--current-ip", current.String(), "--peer-ip", peer.String()}
			cache := "off"
			if s.row.Cache {
				cache = "on"
			}
			args = append(args, "--external-cache", cache)
			args = append(args, s.row.advanced()...)
			if link := s.links[m]; link != "" {
				args = append(args, "--spare-link", link)
			}
			if m == s.pair.B {
				args = append(args, "--first-node")
			}
			if s.row.Group {
				args = append(args, "--transport", "multicast", "--multicast-group", map[bool]string{false: "239.1.2.3", true: "ff05::1:50"}[s.row.IPv6])
			}
			if s.row.Group && m == s.pair.A {
				var err error
				if args, err = s.peerLine(ctx, s.pair.B); err != nil {
					return err
				}
			}
			// Where nothing is acknowledged a save is in force, and in sync as far as is known.
			if out, err := m.Run(ctx, s.program, args...); err != nil && !(s.row.Mode != "" && strings.Contains(out, "Saved, and in force")) {
				return fmt.Errorf("%s: connsync apply: %w\n%s", m.Name(), err, out)
			}
		}
		if s.row.Mode != modeAlarm { // in which an idle node sends nothing
			if err := s.pair.WaitHeard(ctx); err != nil {
				return err
			}
		}
		// What moves the addresses tells each node its role when it starts.
		if err := errors.Join(s.hook(ctx, s.pair.A, "primary"), s.hook(ctx, s.pair.B, "backup")); err != nil {
			return err
		}
	}
	if s.row.Hook == hookKeepalived {
		return s.startKeepalived(ctx)
	}
	return nil
}

// advanced are the advanced settings of the row.
func (r row) advanced() (args []string) {
	if r.Mode != "" {
		args = append(args, "--mode", r.Mode)
	}
	if r.Mode == modeAlarm {
		args = append(args, "--refresh-time", strconv.Itoa(alarmRefresh))
	}
	if r.Unexpected {
		args = append(args, "--expectation-sync", "off")
	}
	return args
}

// peerLine are the arguments of connsync that a node prints for the other one.
func (s *stage) peerLine(ctx context.Context, m *lab.Member) ([]string, error) {
	out, err := m.Run(ctx, s.program, "peer", "--json")
	if err != nil {
		return nil, fmt.Errorf("%s: connsync peer: %w\n%s", m.Name(), err, out)
	}
	var said struct {
		Command string `json:"command"`
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		return nil, fmt.Errorf("%s: connsync peer: %w\n%s", m.Name(), err, out)
	}
	return strings.Fields(said.Command)[1:], nil
}

func (s *stage) connect(ctx context.Context) (*lab.Connections, error) {
	c, err := s.pair.Connect(ctx, connections)
	if err != nil {
		return nil, err
	}
	if got := c.Unbroken(patience); got != connections {
		c.Close()
		return nil, fmt.Errorf("%d of %d new connections work", got, connections)
	}
	return c, nil
}

var externalCache = regexp.MustCompile(`cache:external\s+active objects:\s+(\d+)`)

// replicated waits until a node has the peer's connections, which are so many in all.
func (s *stage) replicated(ctx context.Context, m *lab.Member, c *lab.Connections, all int) error {
	if !s.row.Sync {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !s.row.Cache {
		return m.WaitEstablished(ctx, c)
	}
	for {
		out, err := m.Run(ctx, "conntrackd", "-s", "cache")
		if err != nil {
			return err
		}
		if found := externalCache.FindStringSubmatch(out); found != nil {
			if n, err := strconv.Atoi(found[1]); err == nil && n >= all {
				return nil
			}
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("the external cache of %s is not filled: %w", m.Name(), err)
		}
	}
}

// during moves the addresses while a line is on its way over every connection,
// and sends another when they have moved: the first may have been answered
// before. It returns how many of each got an answer to both.
func (s *stage) during(move func() error, all ...*lab.Connections) ([]int, error) {
	within := patience
	if s.row.Hook == hookKeepalived {
		within = 2 * patience // it takes over 3 s to see that the other node is gone
	}
	counts := make([]int, len(all))
	send := func(wait *sync.WaitGroup) {
		for i, c := range all {
			wait.Go(func() { counts[i] = c.Unbroken(within) })
		}
	}
	var wait sync.WaitGroup
	send(&wait)
	err := move()
	wait.Wait()
	send(&wait)
	wait.Wait()
	return counts, err
}

// fail has B take over from A, which is cut off: the addresses first, as
// keepalived does, then the hook.
func (s *stage) fail(ctx context.Context) error {
	if s.row.Hook == hookKeepalived {
		return s.awaitVirtual(ctx, s.pair.B)
	}
	return errors.Join(s.hook(ctx, s.pair.A, "fault"), s.pair.Activate(s.pair.B), s.hook(ctx, s.pair.B, "primary"))
}

// rejoinTime is how long A hears B before it takes the addresses back: three
// advertisements of keepalived's, which is what it waits at least.
const rejoinTime = 3 * time.Second

// rejoin brings A back as B's backup.
func (s *stage) rejoin(ctx context.Context) error {
	a := s.pair.A
	if s.row.Crashed {
		if s.row.Hook == hookKeepalived {
			if err := s.stopKeepalived(ctx, a); err != nil {
				return err
			}
		}
		if err := a.Crash(ctx); err != nil {
			return err
		}
	}
	if err := s.pair.Rejoin(a); err != nil {
		return err
	}
	if s.row.Crashed && s.row.Sync {
		if out, err := a.Run(ctx, "conntrackd", "-d"); err != nil {
			return fmt.Errorf("start conntrackd: %w\n%s", err, out)
		}
	}
	if s.row.Hook == hookKeepalived {
		return nil
	}
	if err := s.hook(ctx, a, "backup"); err != nil {
		return err
	}
	if s.row.Mode == modeAlarm {
		return sleep(ctx, rejoinTime+2*alarmRefresh*time.Second)
	}
	return sleep(ctx, rejoinTime)
}

// takeBack moves the addresses to A again.
func (s *stage) takeBack(ctx context.Context) error {
	if s.row.Hook == hookKeepalived {
		if s.row.Crashed {
			if err := s.runKeepalived(ctx, s.pair.A); err != nil {
				return err
			}
		}
		return s.awaitVirtual(ctx, s.pair.A)
	}
	return errors.Join(s.pair.Activate(s.pair.A), s.hook(ctx, s.pair.A, "primary"), s.hook(ctx, s.pair.B, "backup"))
}

// hook runs connsync failover where the scenario has it. It has to succeed, or to say no
// more than that expectations are lacking: the traffic goes on and may have met one, and
// the connections that go on are counted themselves.
func (s *stage) hook(ctx context.Context, m *lab.Member, role string) error {
	if s.row.Hook != hookOurs {
		return nil
	}
	out, err := m.Run(ctx, s.program, "failover", role)
	fmt.Fprintf(&s.hooks, "%s became %s:\n%s", m.Name(), role, out)
	if err != nil && !lacksExpectations(out) {
		return fmt.Errorf("%s: connsync failover %s: %w\n%s", m.Name(), role, err, out)
	}
	return nil
}

// lacksExpectations says that a hook has named lacking expectations, and nothing else
// that it could not do or see.
func lacksExpectations(out string) bool {
	var bad []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "unknown") {
			bad = append(bad, line)
		}
	}
	return len(bad) == 1 && strings.Contains(bad[0], "expectations of the peer: the others")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
