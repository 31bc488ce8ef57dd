package health

import (
	"context"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
	"connsync/conntrackd/step"
)

// What a peer that took over has committed is in its kernel, and in its external cache no
// more: nothing was removed there.
func TestCommittedIsHeld(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, func(config string) string { // conntrackd flushes nothing after a commit where it is small
		return conntracktest.Swap(pairtest.ExternalCache(config), "HashSize 4096", "HashSize 32768")
	})
	role := coverage.RolePrimary
	refused := func(service.State, Received) bool { return false }
	atA := watch(a, func(o *Observer) {
		o.MayAsk, o.Coverage.Role = refused, func(context.Context) coverage.Role { return role }
	})
	atB := watch(b, func(o *Observer) {
		o.MayAsk = refused // who asks for the states has them in the cache again
		o.Host = func(context.Context) mailbox.Host { return mailbox.Host{Hook: mailbox.HookRuns} }
	})
	if err := a.Fill(10, 150); err != nil {
		t.Fatal(err)
	}
	settled := func(h Health) bool { return h.Coverage != nil && h.Coverage.Settled >= 150 }
	atB.until(true, says(VerdictTwoWay))
	expect(t, "a", atA.hears(atB, holds(150, 150)), holds(150, 150))

	role = coverage.RoleBackup
	takeOver(b)
	committed := func(h Health) bool {
		told := h.Holding.Told
		return h.Verdict.BothWays() && settled(h) && told != nil && told.External < 150 && told.Kernel >= 150
	}
	want := func(h Health) bool { return committed(h) && says(VerdictTwoWay)(h) && holds(150, 150)(h) }
	expect(t, "a, a backup", atA.hears(atB, committed), want)

	role = coverage.RoleUnknown
	want = func(h Health) bool {
		return committed(h) && says(VerdictTwoWay)(h) && h.Holding.Unclear == UnclearCommitted && h.Holding.Of == -1
	}
	expect(t, "a, of no known role", atA.hears(atB, committed), want)

	role = coverage.RolePrimary
	expect(t, "a, a primary", atA.hears(atB, committed), says(VerdictPartial, "holds only "))
}

// takeOver runs the hook of a node that becomes primary.
func takeOver(n *pairtest.Node) {
	n.T.Helper()
	var outcome failover.Outcome
	n.Do(func() error {
		f := &failover.Failover{Client: n.Client(), Mode: "FTFW", RuntimeDir: n.Dir, Patience: n.Patience, Await: time.Second}
		outcome = f.Run(n.T.Context(), failover.RolePrimary, nil)
		return outcome.Err
	})
	for _, s := range outcome.Steps {
		if s.Status == step.Failed {
			n.T.Fatalf("%s: %s", s.ID, s.Detail)
		}
	}
}
