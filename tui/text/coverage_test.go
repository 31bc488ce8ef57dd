package text

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
)

func TestCoverage(t *testing.T) {
	counts := func(survive, young, filtered, missing int) *coverage.Coverage {
		return &coverage.Coverage{Counts: coverage.Counts{Survive: survive, Young: young, Filtered: filtered, Missing: missing}}
	}
	told := health.Holding{Told: &mailbox.Told{}, Of: 1}
	edited := func(c *coverage.Coverage, edit func(*coverage.Coverage)) *coverage.Coverage { edit(c); return c }
	for _, tt := range []struct {
		h    health.Health
		want string
	}{
		{health.Health{Verdict: health.VerdictTwoWay}, ""},
		{health.Health{Verdict: health.VerdictTwoWay, Coverage: counts(0, 0, 0, 0)}, "no connections to replicate now"},
		{health.Health{Verdict: health.VerdictTwoWay, Coverage: counts(2540, 2, 0, 0), Holding: told}, "2540 of 2542 connections would survive a failover; 2 just began"},
		{health.Health{Verdict: health.VerdictTwoWay, Coverage: counts(2540, 2, 0, 0)}, "2540 of 2542 connections acknowledged by the peer; 2 just began"},
		{health.Health{Verdict: health.VerdictTwoWay, Coverage: counts(2540, 2, 0, 0), Holding: health.Holding{Told: &mailbox.Told{}}}, "2540 of 2542 connections acknowledged by the peer; 2 just began"},
		{health.Health{Verdict: health.VerdictPartial, Coverage: counts(2540, 0, 28, 2), Holding: told},
			"2540 of 2570 connections would survive a failover; 28 filtered by the file, 2 not in conntrackd's cache"},
		{health.Health{Verdict: health.VerdictSilent, Coverage: counts(1, 0, 0, 0)}, "1 of 1 connection in conntrackd's cache; whether the peer has them is unknown"},
		{health.Health{Verdict: health.VerdictUnknown, Coverage: counts(1, 0, 0, 0)}, "1 of 1 connection in conntrackd's cache; whether the peer has them is unknown"},
		{health.Health{Verdict: health.VerdictUnknown, Coverage: counts(1, 0, 0, 0), Holding: health.Holding{Told: &mailbox.Told{}}}, "1 of 1 connection in conntrackd's cache; whether the peer has them is unknown"},
		{health.Health{Verdict: health.VerdictUnknown, Coverage: counts(1, 0, 0, 0), Holding: told}, "1 of 1 connection would survive a failover"},
		{health.Health{Verdict: health.VerdictPartial, Coverage: edited(counts(10, 0, 0, 7), func(c *coverage.Coverage) { c.Stale = 4 })},
			"10 of 17 connections acknowledged by the peer; 3 not in conntrackd's cache, 4 in conntrackd's cache in an earlier state"},
		{health.Health{Verdict: health.VerdictPartial, Coverage: edited(counts(10, 0, 0, 7), func(c *coverage.Coverage) { c.Zoned = 7 })},
			"10 of 17 connections acknowledged by the peer; 7 sent without their zone"},
		{health.Health{Verdict: health.VerdictPartial, Coverage: edited(counts(10, 0, 0, 7), func(c *coverage.Coverage) { c.Tied = 7 })},
			"10 of 17 connections acknowledged by the peer; 7 tied by NAT to an address that stays here"},
		{health.Health{Verdict: health.VerdictReceivingOnly, Coverage: edited(counts(10, 0, 0, 0), func(c *coverage.Coverage) { c.Unacknowledged = 5 })},
			"15 of 15 connections in conntrackd's cache; whether the peer has them is unknown; 5 not acknowledged by the peer"},
		{health.Health{Verdict: health.VerdictTwoWay, Coverage: edited(counts(0, 0, 0, 0), func(c *coverage.Coverage) { c.Peers = 530 })},
			"no connections to replicate now; 530 here for the peer"},
		{health.Health{Verdict: health.VerdictTwoWay, Coverage: edited(counts(30, 0, 0, 0), func(c *coverage.Coverage) { c.BeginAgain = 10 }), Holding: told},
			"30 of 30 connections would survive a failover; 10 of them (GRE or SCTP) only if the peer's rules accept them as new"},
		{health.Health{Verdict: health.VerdictUnknown, Coverage: edited(counts(0, 0, 0, 0), func(c *coverage.Coverage) { c.Uncommitted = 50 }),
			Holding: health.Holding{Told: &mailbox.Told{Report: mailbox.Report{Host: mailbox.Host{Hook: mailbox.HookUnseen}}}, Of: 50}},
			"0 of 50 connections would survive a failover unless a hook runs on the peer; 50 only in the peer's external cache"},
		{health.Health{Verdict: health.VerdictPartial, Coverage: edited(counts(0, 0, 0, 0), func(c *coverage.Coverage) { c.Uncommitted = 50 }),
			Holding: health.Holding{Told: &mailbox.Told{Report: mailbox.Report{Host: mailbox.Host{Hook: mailbox.HookFails}}}, Of: 50}}, "0 of 50 connections would survive a failover; 50 only in the peer's external cache"},
		{health.Health{Verdict: health.VerdictUnknown, Coverage: edited(counts(46, 0, 0, 0), func(c *coverage.Coverage) { c.Unclear = 4 }), Holding: told},
			"at least 46 of 50 connections would survive a failover; 4 perhaps not on the peer"},
		{health.Health{Verdict: health.VerdictUnknown, Coverage: edited(counts(46, 0, 0, 0), func(c *coverage.Coverage) { c.Unclear = 4 })},
			"50 of 50 connections in conntrackd's cache; whether the peer has them is unknown; 4 perhaps not on the peer"},
		{health.Health{Verdict: health.VerdictUnknown, CoverageErr: errors.New("not\x1b[2J permitted")}, "connections could not be compared: not permitted"},
	} {
		if got := Coverage(tt.h); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestListedCoverage(t *testing.T) {
	lost := coverage.LostEntry{Rule: coverage.Rule{Line: 41, Text: "Address Ignore 10.1.0.0/16"}}
	lost.Protocol = 17
	lost.Original = coverage.Tuple{Source: netip.MustParseAddr("10.1.0.2"), Destination: netip.MustParseAddr("10.2.0.2"), SourcePort: 2001, DestinationPort: 53}
	lost.Reply = coverage.Tuple{Source: netip.MustParseAddr("10.2.0.2"), Destination: netip.MustParseAddr("203.0.113.1"), SourcePort: 53, DestinationPort: 2001}
	c := &coverage.Coverage{Counts: coverage.Counts{Survive: 3, Filtered: 2}, Sample: []coverage.LostEntry{lost},
		Kinds: []coverage.Kind{{Family: "ipv4", Protocol: "udp", Counts: coverage.Counts{Survive: 3, Filtered: 2}}},
		Rules: []coverage.FilteredBy{{Rule: lost.Rule, Entries: 2}}}
	got := ListedCoverage(health.Health{Verdict: health.VerdictPartial, Cause: "cause", Next: "next", Coverage: c}, false)
	want := []string{
		"warn     3 of 5 connections acknowledged by the peer; 2 filtered by the file.",
		"", "  protocol       in cache    young filtered  missing    total", "  udp ipv4              3        0        2        0        5",
		"  line 41 of the file, Address Ignore 10.1.0.0/16: 2 connections",
		"         Cause.", "         -> next",
		"  line 41   udp 10.1.0.2:2001 -> 10.2.0.2:53 NAT 203.0.113.1:2001 -> 10.2.0.2:53", "  and 1 more; connsync coverage --all lists them",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := ListedCoverage(health.Health{Verdict: health.VerdictPartial, Coverage: c}, true)[1]; got != "  udp ipv4: 3 in the cache, 2 filtered" {
		t.Errorf("narrow: %q", got)
	}
}

func TestComparisonLines(t *testing.T) {
	got := strings.Join(ComparisonLines(coverage.Comparison{Total: 9, Held: 5, Moving: 1, Differ: 1, Absent: 2, Ended: 4, Cache: true}, ""), "\n")
	want := "warn     6 of 9 connections of the other node in this kernel's table or in conntrackd's external cache; 2 not here; 1 here but different; 1 changed state meanwhile; 4 ended meanwhile."
	if got != want {
		t.Error(cmp.Diff(want, got))
	}
}
