package conntrackd

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// states puts connections into a node's kernel table, one of them per port.
func (n *testNode) states(first, count int) {
	n.t.Helper()
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do conntrack -I -p udp -s 198.51.100.7 -d 198.51.100.8 --sport $((%d+i)) --dport 53 -t 300 >/dev/null 2>&1 || exit 1; i=$((i+1)); done", count, first)
	if out, err := n.ns.Command("sh", "-c", script).CombinedOutput(); err != nil {
		n.t.Fatalf("%v\n%s", err, out)
	}
}

func (n *testNode) client() *Client { return NewClient(filepath.Join(n.dir, "ctl")) }

// awaitExternal waits for a number of states in the external cache.
func (n *testNode) awaitExternal(want uint64) {
	n.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		cache, err := n.client().Cache(n.t.Context())
		if err == nil && cache.External == want {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("the external cache has %d states, want %d (%v)", cache.External, want, err)
		}
	}
}

func externalCache(config string) string {
	return swap(config, "DisableExternalCache on", "DisableExternalCache off")
}

// runBoth starts both daemons with an external cache and nothing that would
// exchange the states at a start.
func runBoth(a, b *testNode) {
	for _, n := range []*testNode{a, b} {
		n.t.Helper()
		n.writeConfig(externalCache(testConfig(n.settings, n.dir)))
		if err := n.restart(); err != nil {
			n.t.Fatal(err)
		}
	}
}

// observeUntil watches with an observer of its own until the verdict is want,
// and returns it, or the last one.
func (n *testNode) observeUntil(want Verdict, may func(ServiceState) bool) (h Health) {
	n.t.Helper()
	o := &Observer{Service: n.service, Client: n.client(), Settings: n.settings, Listen: listenTest, MayAsk: may}
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	n.do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		for range 24 {
			if h = o.Observe(ctx); h.Verdict == want {
				return nil
			}
			time.Sleep(250 * time.Millisecond)
		}
		return nil
	})
	return h
}

// A restarted backup holds nothing, and its heartbeat is as good as ever. The
// verdict names it; afterwards the node has the peer's states.
func TestRestartedNodeThatStaysEmptyIsNamed(t *testing.T) {
	t.Parallel()
	a, b := newPair(t)
	runBoth(a, b)
	time.Sleep(contact)
	b.states(1000, 20)
	a.awaitExternal(20)
	if err := a.restart(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(greetingTime + time.Second)
	if counters, err := a.client().Counters(t.Context()); err != nil || counters.External != 0 || counters.PacketsRecv < 3 {
		t.Fatalf("the node is not empty with a healthy heartbeat, so that nothing is shown here: %+v, %v", counters, err)
	}
	forbidden := a.observeUntil(VerdictTwoWay, func(ServiceState) bool { return false })
	if cache, err := a.client().Cache(t.Context()); err != nil || cache.External != 0 || forbidden.Verdict != VerdictTwoWay {
		t.Errorf("not allowed to ask: verdict %s, %+v, %v", forbidden.Verdict, cache, err)
	}
	got := a.observeUntil(VerdictLosing, nil)
	if got.Verdict != VerdictLosing || !strings.Contains(got.Cause, "held none of the peer's 20 states") || !strings.Contains(got.Next, "startup-resync") {
		t.Errorf("verdict %s: %s (%s)", got.Verdict, got.Cause, got.Next)
	}
	a.awaitExternal(20)
	if again := a.observeUntil(VerdictTwoWay, nil); again.Verdict != VerdictTwoWay {
		t.Errorf("filled: %s: %s", again.Verdict, again.Cause)
	}
}

// A pair without connections is in sync, and asked once.
func TestIdlePairIsAskedOnce(t *testing.T) {
	t.Parallel()
	a, b := newPair(t)
	runBoth(a, b)
	time.Sleep(greetingTime + time.Second)
	asks := 0
	o := &Observer{Service: a.service, Client: a.client(), Settings: a.settings, Listen: listenTest, MayAsk: func(run ServiceState) bool {
		if run.MainPID == 0 || run.Since.IsZero() {
			t.Errorf("asked about %+v", run)
		}
		asks++
		return true
	}}
	a.do(func() error {
		if err := o.Start(t.Context()); err != nil {
			return err
		}
		for range 16 {
			if h := o.Observe(t.Context()); h.Verdict != VerdictTwoWay && h.Verdict != VerdictUnknown {
				t.Errorf("verdict %s: %s", h.Verdict, h.Cause)
			}
			time.Sleep(250 * time.Millisecond)
		}
		return nil
	})
	if asks != 1 {
		t.Errorf("the peer was asked %d times, want once", asks)
	}
}
