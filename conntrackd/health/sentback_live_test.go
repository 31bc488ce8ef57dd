package health

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A restarted peer takes this node's connections for its own and sends them back. Those that
// a filter keeps out since are nobody's then: neither in sync nor lost, on either node.
func TestSentBackIsNotThePeers(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, nil)
	a.Begin(unix.IPPROTO_TCP, 6000, 50)
	time.Sleep(time.Second)
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	keepToItself(a, "10.1.0.0/16")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err := a.Client().RequestResync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, err := a.Client().Cache(t.Context()); err == nil && c.Injected >= 50 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the peer did not send them back")
		}
	}
	keepToItself(b, "10.1.0.0/16")
	want := func(h Health) bool {
		return says(VerdictUnknown, "keeps out 50 connections (Address Ignore 10.1.0.0/16), and nothing shows whether they are this node's or the peer's", "connsync failover primary")(h) &&
			h.Coverage.Undecided == 50 && h.Coverage.Peers == 0
	}
	settled := func(h Health) bool {
		return h.Coverage != nil && !h.Coverage.Pending && h.Verdict != VerdictUnknown || want(h)
	}
	expect(t, "a", watch(a, nil).until(false, settled), want)
	expect(t, "b", watch(b, nil).until(false, settled), want)
}
