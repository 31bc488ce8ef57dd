package health

import (
	"context"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
)

// observeUntil watches with an observer of its own until the verdict is want,
// and returns it, or the last one.
func observeUntil(n *pairtest.Node, want Verdict, may func(service.State, Received) bool) (h Health) {
	n.T.Helper()
	o := &Observer{Service: n.Service, Client: n.Client(), Settings: n.Settings, Listen: pairtest.Listen[Overheard], MayAsk: may}
	ctx, cancel := context.WithCancel(n.T.Context())
	defer cancel()
	n.Do(func() error {
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
	a, b := pairtest.New(t)
	pairtest.RunBoth(a, b)
	time.Sleep(pairtest.Contact)
	b.States(1000, 20)
	a.AwaitExternal(20)
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(greetingTime + time.Second)
	if counters, err := a.Client().Counters(t.Context()); err != nil || counters.External != 0 || counters.PacketsRecv < 3 {
		t.Fatalf("the node is not empty with a healthy heartbeat, so that nothing is shown here: %+v, %v", counters, err)
	}
	forbidden := observeUntil(a, VerdictTwoWay, func(service.State, Received) bool { return false })
	if cache, err := a.Client().Cache(t.Context()); err != nil || cache.External != 0 || forbidden.Verdict != VerdictTwoWay {
		t.Errorf("not allowed to ask: verdict %s, %+v, %v", forbidden.Verdict, cache, err)
	}
	got := observeUntil(a, VerdictLosing, nil)
	if got.Verdict != VerdictLosing || !strings.Contains(got.Cause, "held none of the peer's 20 states") || !strings.Contains(got.Next, "startup-resync") {
		t.Errorf("verdict %s: %s (%s)", got.Verdict, got.Cause, got.Next)
	}
	a.AwaitExternal(20)
	if again := observeUntil(a, VerdictTwoWay, nil); again.Verdict != VerdictTwoWay {
		t.Errorf("filled: %s: %s", again.Verdict, again.Cause)
	}
}

// A pair without connections is in sync, and asked once.
func TestIdlePairIsAskedOnce(t *testing.T) {
	t.Parallel()
	a, b := pairtest.New(t)
	pairtest.RunBoth(a, b)
	time.Sleep(greetingTime + time.Second)
	asks := 0
	o := &Observer{Service: a.Service, Client: a.Client(), Settings: a.Settings, Listen: pairtest.Listen[Overheard], MayAsk: func(run service.State, _ Received) bool {
		if run.MainPID == 0 || run.Since.IsZero() {
			t.Errorf("asked about %+v", run)
		}
		asks++
		return true
	}}
	a.Do(func() error {
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
