package coverage

import (
	"strings"
	"testing"
)

func TestWhyMissing(t *testing.T) {
	for _, tt := range []struct {
		why   circumstances
		cause string // end of it
		next  string // part of it
	}{
		{circumstances{limit: 40}, "conntrackd's cache lacks 7 connections: their events did not reach it", "conntrackd -R and conntrackd -B"},
		{circumstances{limit: 40, eventsOff: true, internal: 40, overruns: 2}, "the kernel reports none (nf_conntrack_events is 0)", "sysctl -w net.netfilter.nf_conntrack_events=1"},
		{circumstances{limit: 40, limitLine: 17, internal: 40, noSpace: 9}, "it is full (HashLimit 40 in line 17, 9 entries refused)", "raise HashLimit"},
		{circumstances{limit: 40, internal: 38, noSpace: 9}, "it was full (HashLimit 40, 9 entries refused)", "raise HashLimit"},
		{circumstances{limit: 40, pollSecs: 30, pollLine: 5}, "conntrackd reads the kernel's table every 30 s only (PollSecs in line 5)", "remove PollSecs"},
		{circumstances{limit: 40, overruns: 2, noSpace: 9}, "the kernel's events overran it (netlink overruns: 2)", "NetlinkBufferSize"},
		{circumstances{limit: 40, direct: true, role: RolePrimary}, "the peer began them, and this node has not taken them over", "connsync failover primary"},
		{circumstances{limit: 40, role: RolePrimary}, "their events did not reach it", "conntrackd -R"},
	} {
		cause, next := tt.why.missing(7)
		if !strings.HasSuffix(cause, tt.cause) || !strings.Contains(next, tt.next) {
			t.Errorf("%+v: %q, %q; want %q, %q", tt.why, cause, next, tt.cause, tt.next)
		}
	}
}

func TestWhyInTheFirstState(t *testing.T) {
	for _, tt := range []struct {
		why         circumstances
		cause, next string
	}{
		{circumstances{limit: 40, internal: 40}, "conntrackd's cache has 7 established connections in their first state: events of later ones did not reach it", "nft: ct event set; iptables: --ctevents"},
		{circumstances{limit: 40, pollSecs: 30, pollLine: 5}, "in their first state: conntrackd reads the kernel's table every 30 s only (PollSecs in line 5)", "remove PollSecs"},
		{circumstances{limit: 40, overruns: 2}, "in their first state: the kernel's events overran it (netlink overruns: 2)", "NetlinkBufferSize"},
	} {
		cause, next := tt.why.stale(7)
		if !strings.HasSuffix(cause, tt.cause) || !strings.Contains(next, tt.next) {
			t.Errorf("%+v: %q, %q; want %q, %q", tt.why, cause, next, tt.cause, tt.next)
		}
	}
}
