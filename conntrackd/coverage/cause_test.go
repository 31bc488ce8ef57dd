package coverage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
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
		{circumstances{limit: 40, direct: true, role: RolePrimary, begun: 1}, "their events did not reach it", "conntrackd -R"},
		{circumstances{limit: 40, older: true, overruns: 2}, "the kernel's events overran it (netlink overruns: 2)", "NetlinkBufferSize"},
		{circumstances{limit: 40, older: true}, "conntrackd was started before its file was changed, and may run with other settings, such as a filter", "restart conntrackd"},
		{circumstances{limit: 40, older: true, internal: 38, noSpace: 9}, "it was full (HashLimit 40, 9 entries refused)", "raise HashLimit"},
		{circumstances{limit: 40, older: true, eventsOff: true}, "the kernel reports none (nf_conntrack_events is 0)", "sysctl"},
		{circumstances{limit: 40, older: true, direct: true, role: RolePrimary}, "the peer began them, and this node has not taken them over", "connsync failover primary"},
		{circumstances{limit: 40, older: true, direct: true, role: RolePrimary, begun: 1}, "such as a filter", "restart conntrackd"},
	} {
		cause, next := tt.why.missing(7)
		if !strings.HasSuffix(cause, tt.cause) || !strings.Contains(next, tt.next) {
			t.Errorf("%+v: %q, %q; want %q, %q", tt.why, cause, next, tt.cause, tt.next)
		}
	}
}

func TestFileChangedSinceTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	file, _ := conntrackd.Parse(path, nil)
	l := &Looker{File: file}
	if l.Follow(1, time.Now().Add(-time.Minute)); l.older() {
		t.Error("there is no file")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)); err != nil { // as a restore that keeps the times
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]bool{time.Minute: true, 0: false, -time.Minute: false} {
		if l.Follow(1, time.Now().Add(-age)); l.older() != want {
			t.Errorf("started %v ago: changed since is %t", age, !want)
		}
	}
	started := time.Now().Add(-time.Minute)
	l.Follow(1, started)
	for content, as := range map[string]bool{"a chmod": true, "another content, or one that nobody knows": false} {
		l.AsSaved = func(before time.Time) bool { return as && before.Equal(started) }
		if l.older() == as {
			t.Errorf("%s since the start is a change of the file: %t", content, as)
		}
	}
	if l.Follow(1, time.Time{}); l.older() {
		t.Error("nobody knows when it was started")
	}
}

func TestWhyInTheFirstState(t *testing.T) {
	for _, tt := range []struct {
		why         circumstances
		cause, next string
	}{
		{circumstances{limit: 40, internal: 40}, "conntrackd's cache has 7 connections in an earlier state: events of later ones did not reach it", "nft: ct event set; iptables: --ctevents"},
		{circumstances{limit: 40, pollSecs: 30, pollLine: 5}, "in an earlier state: conntrackd reads the kernel's table every 30 s only (PollSecs in line 5)", "remove PollSecs"},
		{circumstances{limit: 40, overruns: 2}, "in an earlier state: the kernel's events overran it (netlink overruns: 2)", "NetlinkBufferSize"},
	} {
		cause, next := tt.why.stale(7)
		if !strings.HasSuffix(cause, tt.cause) || !strings.Contains(next, tt.next) {
			t.Errorf("%+v: %q, %q; want %q, %q", tt.why, cause, next, tt.cause, tt.next)
		}
	}
}
