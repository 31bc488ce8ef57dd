package text

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/live"
)

func TestLinkNow(t *testing.T) {
	passed, failed, unknown, skipped := check.Passed, check.Failed, check.Unknown, check.Skipped
	for _, tc := range []struct {
		interfaces, up, carrier, link, ping, heard check.Status
		six                                        bool
		want                                       string
	}{
		{passed, passed, passed, passed, passed, passed, false, "up, replies to ARP and ping, ok 6 warning 0 failed 0, ok: peer-heard"},
		{passed, passed, passed, passed, passed, failed, true, "up, replies to ND and ping, ok 5 warning 1 failed 0, warn: peer-heard"},
		{passed, passed, passed, passed, failed, passed, false, "up, replies to ARP, not to ping, ok 5 warning 0 failed 1, FAIL: peer-ping"},
		{passed, passed, passed, passed, unknown, passed, false, "up, replies to ARP, ok 5 warning 0 failed 0 unknown 1, unknown: peer-ping"},
		{passed, passed, passed, failed, skipped, skipped, false, "up, does not reply to ARP, ok 3 warning 0 failed 1, FAIL: peer-link"},
		{passed, passed, passed, unknown, passed, unknown, false, "up, replies to ping, ok 4 warning 0 failed 0 unknown 2, unknown: peer-link"},
		{passed, passed, passed, unknown, unknown, unknown, false, "up, could not be asked, ok 3 warning 0 failed 0 unknown 3, unknown: peer-link"},
		{passed, passed, failed, skipped, skipped, skipped, false, "no carrier, was not asked, ok 2 warning 0 failed 1, FAIL: carrier"},
		{passed, failed, skipped, skipped, skipped, skipped, false, "down, was not asked, ok 1 warning 0 failed 1, FAIL: link-up"},
		{failed, skipped, skipped, skipped, skipped, skipped, false, "unusable, was not asked, ok 0 warning 0 failed 1, FAIL: interface"},
		{unknown, unknown, unknown, unknown, unknown, unknown, false, "unknown, could not be asked, ok 0 warning 0 failed 0 unknown 6, unknown: interface"},
	} {
		var r check.Report
		add := func(id check.ID, status check.Status, severity check.Severity) {
			r.Results = append(r.Results, check.Result{ID: id, Severity: severity, Finding: check.Finding{Status: status, Detail: string(id)}})
		}
		add(netcheck.CheckInterface, tc.interfaces, check.Blocker)
		add(netcheck.CheckLinkUp, tc.up, check.Blocker)
		add(netcheck.CheckCarrier, tc.carrier, check.Blocker)
		add(netcheck.CheckPeerLink, tc.link, check.Blocker)
		add(netcheck.CheckPeerPing, tc.ping, check.Blocker)
		add(live.CheckPeerHeard, tc.heard, check.Warning)
		l := LinkNowOf(r, tc.six)
		counts := ""
		for _, c := range l.Counts {
			counts = Join(" ", counts, c.Text)
		}
		if diff := cmp.Diff(tc.want, fmt.Sprintf("%s, %s, %s, %s: %s", l.State, l.Peer, counts, l.Word, l.Sentence)); diff != "" {
			t.Error(diff)
		}
	}
}
