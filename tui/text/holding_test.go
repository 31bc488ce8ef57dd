package text

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
)

func TestOnPeer(t *testing.T) {
	told := health.Holding{OnPeer: 4999, Of: 5000, Told: &mailbox.Told{Age: 12*time.Second + 400*time.Millisecond}}
	counted := &coverage.Coverage{}
	for name, tc := range map[string]struct {
		h    health.Health
		want string
	}{
		"told":                                 {health.Health{Verdict: health.VerdictPartial, Coverage: counted, Holding: told}, "4999 of 5000 connections are on the peer, as it reported 12 s ago"},
		"not told":                             {health.Health{Verdict: health.VerdictTwoWay, Coverage: counted}, "there is no report of the peer of what it holds: connsync refresh there makes one twice a minute; if none comes, run connsync status there, or connsync status --prove on both nodes"},
		"not heard":                            {health.Health{Verdict: health.VerdictSilent, Coverage: counted, Holding: told}, ""},
		"told, and no message is acknowledged": {health.Health{Verdict: health.VerdictUnknown, Coverage: counted, Holding: told}, "4999 of 5000 connections are on the peer, as it reported 12 s ago"},
		"not told, and no message is acknowledged": {health.Health{Verdict: health.VerdictUnknown, Coverage: counted}, ""},
		"it does not show": {health.Health{Verdict: health.VerdictTwoWay, Coverage: counted, Holding: health.Holding{OnPeer: -1, Of: -1, Unclear: health.UnclearCommitted, Told: told.Told}},
			"what the peer holds does not show in what it reported 12 s ago: it may have committed its external cache, and connections of its own are in its kernel too"},
		"not counted": {health.Health{Verdict: health.VerdictTwoWay}, ""},
	} {
		if got := OnPeer(tc.h); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What the peer has not told is null, never zero.
func TestPeerReport(t *testing.T) {
	if got := NewPeerReport(health.Holding{}); got != nil {
		t.Errorf("not told: %+v", got)
	}
	h := health.Holding{OnPeer: 1, Of: 2, Told: &mailbox.Told{Age: 3 * time.Second, Report: mailbox.Report{
		Cause: mailbox.CauseTableFull, Kernel: 4, External: 5, Refused: 6, Limit: 7, Daemon: [3]uint8{1, 4, 8}}}}
	held, of := 1, 2
	want := &PeerReport{Held: &held, Of: &of, Seconds: 3, Cause: "table-full", Kernel: 4, External: 5, Refused: 6, Limit: 7, Daemon: "1.4.8", Differ: []health.Difference{}}
	if diff := cmp.Diff(want, NewPeerReport(h)); diff != "" {
		t.Error(diff)
	}
	h.OnPeer, h.Of, h.Unclear = -1, -1, health.UnclearCommitted
	if got := NewPeerReport(h); got.Held != nil || got.Of != nil {
		t.Errorf("what the report does not show: %+v", got)
	}
	if got := Shortage(99); got != "cause-99" {
		t.Errorf("a cause of a later version: %q", got)
	}
}

func TestUnproven(t *testing.T) {
	lists := []conntrackd.FilterList{{Subject: "Address", Line: 41}, {Subject: "Protocol", Accept: true, Line: 50}}
	h := health.Health{Coverage: &coverage.Coverage{Counts: coverage.Counts{Survive: 70, Filtered: 30}}}
	got := Unproven(h, lists, "FTFW")
	for _, want := range []string{"Address Ignore in line 41, Protocol Accept in line 50", "of 100 connections now it filters 30."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q, without %q", got, want)
		}
	}
	if got := Unproven(h, nil, "FTFW"); got != "" {
		t.Errorf("without a filter: %q", got)
	}
	const lossy = "In mode NOTRACK a lost message is not sent again, so the test entries do not prove that no connection was lost."
	if got := Unproven(h, nil, "NOTRACK"); got != lossy {
		t.Errorf("in mode NOTRACK without a filter: %q", got)
	}
	if got := Unproven(h, lists, "NOTRACK"); !strings.HasSuffix(got, " it filters 30. "+lossy) {
		t.Errorf("in mode NOTRACK: %q", got)
	}
}
