package conntrackd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connsync/lab"

	"github.com/vishvananda/netlink"
)

// testNode is one host of a pair: a network namespace and a directory for
// everything that the daemon would have in /etc, /var and /run.
type testNode struct {
	t        *testing.T
	ns       *lab.Namespace
	dir      string
	settings Settings
	service  *Direct
	patience time.Duration // of its failovers
}

// newPair makes two nodes whose sync0 interfaces are connected. Their daemons
// are stopped when the test ends.
func newPair(t *testing.T) (a, b *testNode) {
	t.Helper()
	requireDaemon(t)
	s := testSettings()
	a = newTestNode(t, s)
	s.Current, s.Peer = s.Peer, s.Current
	b = newTestNode(t, s)
	if err := lab.Veth(a.ns, "sync0", b.ns, "sync0"); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	for _, n := range []*testNode{a, b} {
		n.do(func() error {
			link, err := netlink.LinkByName("sync0")
			if err != nil {
				return err
			}
			if err := addAddress(link, n.settings.Current); err != nil {
				return err
			}
			return netlink.LinkSetUp(link)
		})
	}
	return a, b
}

func newTestNode(t *testing.T, s Settings) *testNode {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	dir := t.TempDir()
	n := &testNode{t: t, ns: ns, dir: dir, settings: s, service: &Direct{Config: filepath.Join(dir, "conntrackd.conf")}}
	t.Cleanup(func() {
		n.do(func() error { return n.service.Stop(context.Background()) })
		ns.Close()
	})
	return n
}

// do runs fn in the node's network.
func (n *testNode) do(fn func() error) {
	n.t.Helper()
	if err := n.ns.Do(fn); err != nil {
		n.t.Fatal(err)
	}
}

func (n *testNode) config() string { return n.service.Config }

// candidate is a save of what the node's file would be with settings s.
func (n *testNode) candidate(s Settings) *Candidate {
	n.t.Helper()
	old, err := readFile(n.config())
	if err != nil {
		n.t.Fatal(err)
	}
	return &Candidate{Path: n.config(), Settings: s, Old: old, New: []byte(testConfig(s, n.dir))}
}

func (n *testNode) applier() *Applier {
	return &Applier{
		Service: n.service, StateDir: filepath.Join(n.dir, "state"), RuntimeDir: filepath.Join(n.dir, "run"),
		FirstNode: true, Settle: 300 * time.Millisecond, Listen: listenTest,
	}
}

// apply saves in the node's network.
func (n *testNode) apply(ctx context.Context, a *Applier, c *Candidate) Outcome {
	n.t.Helper()
	var outcome Outcome
	n.do(func() error {
		outcome = a.Apply(ctx, c, func(s Step) {
			if s.Status != StepRunning {
				n.t.Logf("%-16s %-8s %6.3fs  %s", s.ID, s.Status, s.Took.Seconds(), s.Detail)
			}
		})
		return nil
	})
	return outcome
}

// mustApply is apply of a save that has to succeed.
func (n *testNode) mustApply(s Settings) Outcome {
	n.t.Helper()
	outcome := n.apply(n.t.Context(), n.applier(), n.candidate(s))
	if outcome.Err != nil {
		n.t.Fatalf("apply: %v", outcome.Err)
	}
	return outcome
}

func (n *testNode) state() ServiceState {
	n.t.Helper()
	var state ServiceState
	n.do(func() (err error) {
		state, err = n.service.State(n.t.Context())
		return err
	})
	return state
}

// sockets are those of the running daemon.
func (n *testNode) sockets(s Settings) Sockets {
	n.t.Helper()
	var sockets Sockets
	n.do(func() (err error) {
		state, err := n.service.State(n.t.Context())
		if err != nil || !state.Active {
			return fmt.Errorf("no daemon: %v", err)
		}
		sockets, err = ReadSockets(state.MainPID, s)
		return err
	})
	return sockets
}

// observe watches the node's daemon until the verdict is want or time is up.
func (n *testNode) observe(want Verdict) Health {
	n.t.Helper()
	content, err := os.ReadFile(n.config())
	if err != nil {
		n.t.Fatal(err)
	}
	f, _ := Parse(n.config(), content)
	o := &Observer{
		Service: n.service, Client: NewClient(f.ControlSocket()), Settings: n.settings,
		Mode: f.Mode(), Listen: listenTest,
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 15*time.Second)
	defer cancel()
	var health Health
	n.do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if health = o.Observe(ctx); health.Verdict == want {
				return nil
			}
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	})
	if health.Verdict != want {
		n.t.Errorf("verdict %s (%s), want %s", health.Verdict, health.Cause, want)
	}
	return health
}
