package text

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/refresh"
	"connsync/conntrackd/service"
)

// inSync is a look at a pair with 2542 connections, of which two have just begun.
func inSync(at time.Time) health.Health {
	return health.Health{
		Verdict: health.VerdictTwoWay, Service: service.State{Since: at.Add(-time.Hour)}, Heard: at.Add(-400 * time.Millisecond),
		Counters: control.Counters{Time: at, Direct: true, External: 7}, Rates: &health.Rates{SentPackets: 249.4, RecvPackets: 0.5},
		Coverage: &coverage.Coverage{Counts: coverage.Counts{Survive: 2540, Young: 2}, Peers: 22},
		Holding:  health.Holding{Told: &mailbox.Told{}, OnPeer: 2540, Of: 2540},
	}
}

// What is not known is not zero.
func TestPairNumbers(t *testing.T) {
	at := time.Date(2026, 11, 29, 14, 8, 0, 0, time.Local)
	cached, silent, late := inSync(at), inSync(at), inSync(at)
	cached.Direct, cached.Holding.External = false, 5 // two of the seven are reports of the peer
	uncounted := cached
	uncounted.Coverage = nil
	silent.Verdict, silent.Heard = health.VerdictSilent, at.Add(-12*time.Second)
	late.Heard, late.Rates.SentPackets = at.Add(-65*time.Minute), 2.5e6
	for name, tt := range map[string]struct {
		h    health.Health
		want PairNumbers
	}{
		"in sync":                       {inSync(at), PairNumbers{"2542", "2540", "22", "249/s", "0.5/s", "just now"}},
		"external cache":                {cached, PairNumbers{"2542", "2540", "5", "249/s", "0.5/s", "just now"}},
		"external cache, not looked at": {uncounted, PairNumbers{"-", "-", "7", "249/s", "0.5/s", "just now"}},
		"silent":                        {silent, PairNumbers{"2542", "-", "22", "249/s", "0.5/s", "12 s ago"}},
		"late":                          {late, PairNumbers{"2542", "2540", "22", "2.5M/s", "0.5/s", "1 h 5 min ago"}},
		"heard before":                  {health.Health{HeardBefore: at.Add(-20 * time.Second), Counters: control.Counters{Time: at, PacketsRecv: 5, Direct: true}}, PairNumbers{"-", "-", "-", "-", "-", "before 14:07:40"}},
		"heard days ago":                {health.Health{HeardBefore: at.Add(-48 * time.Hour), Counters: control.Counters{Time: at, PacketsRecv: 5, Direct: true}}, PairNumbers{"-", "-", "-", "-", "-", "before 2026-11-27 14:08"}},
		"nothing known":                 {health.Health{}, PairNumbers{"-", "-", "-", "-", "-", "not yet"}},
	} {
		if diff := cmp.Diff(tt.want, NewPairNumbers(tt.h)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStatusNumbers(t *testing.T) {
	at := time.Date(2026, 11, 29, 14, 8, 0, 0, time.Local)
	yes := true
	lossy := inSync(at)
	lossy.Lost, lossy.Overruns, lossy.Sockets.Drops, lossy.Service.Since = 3, 1, 8, at.Add(-24*time.Hour)
	for name, tt := range map[string]struct {
		h    health.Health
		r    refresh.Report
		want []string
	}{
		"in sync": {inSync(at), refresh.Report{Needed: true, Running: &yes, PID: 71}, []string{
			"connections 2542, acknowledged 2540, from the peer 22", "sent 249/s, received 0.5/s, last heard 0.4 s ago",
			"losses none since 13:08", "peer 10.0.0.102, fingerprint 907d-adee", "refresh running (process 71), no run yet"}},
		"losses": {lossy, refresh.Report{Running: new(bool)}, []string{
			"connections 2542, acknowledged 2540, from the peer 22", "sent 249/s, received 0.5/s, last heard 0.4 s ago",
			"losses 3 lost, 8 receive drops, 1 netlink overruns since 2026-11-28 14:08", "peer 10.0.0.102, fingerprint 907d-adee"}},
		"stopped": {health.Health{Verdict: health.VerdictStopped}, refresh.Report{Needed: true, Error: "permission denied"}, []string{
			"peer 10.0.0.102, fingerprint 907d-adee", "refresh unknown: permission denied"}},
	} {
		got := StatusNumbers(tt.h, conntrackd.NewSettingTable(), pairSettings(), tt.r)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], Column(""))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := StatusNumbers(health.Health{Verdict: health.VerdictStopped, Off: true}, conntrackd.NewSettingTable(), conntrackd.Settings{}, refresh.Report{}); got != nil {
		t.Errorf("%q of a node on which nothing is set up", got)
	}
}

func TestInSync(t *testing.T) {
	at := time.Date(2026, 11, 29, 14, 8, 0, 0, time.Local)
	untold, lost := inSync(at), inSync(at)
	untold.Holding = health.Holding{OnPeer: -1, Of: -1}
	lost.Coverage.Missing = 1
	for want, h := range map[string]health.Health{
		"In sync both ways for 6 min; all 2540 connections are on the peer.": inSync(at),
		"In sync both ways for 6 min.":                                       untold,
	} {
		if got := InSync(h, at.Add(-6*time.Minute), at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := InSync(lost, time.Time{}, at); got != "In sync both ways." {
		t.Error(got)
	}
}

// A sync that is off on purpose is no failure, and is not called one.
func TestOffIsNoFailure(t *testing.T) {
	off := health.Health{Verdict: health.VerdictStopped, Off: true, Cause: "nothing is set up on this node", Next: "set it up: connsync"}
	want := []string{"off      Sync is off.", "         nothing is set up on this node", "         -> set it up: connsync"}
	if diff := cmp.Diff(want, StatusLines(off)); diff != "" {
		t.Error(diff)
	}
	if got := ShortStatus(off); got != "sync disabled" {
		t.Error(got)
	}
}

// The sample of the page about the status is what is printed.
func TestStatusPageIsTheSample(t *testing.T) {
	page, err := os.ReadFile("../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sample, found := strings.Cut(string(page), "\n```\nok ")
	sample, _, closed := strings.Cut("ok "+sample, "\n```\n")
	if !found || !closed {
		t.Fatal("docs/status.md has no sample")
	}
	judge, err := os.ReadFile("../../conntrackd/health/judge_cause.go")
	if err != nil {
		t.Fatal(err)
	}
	yes, run := true, time.Now().Add(-4*time.Second)
	h := inSync(time.Date(2026, 11, 29, 14, 8, 0, 0, time.Local))
	h.Cause = "messages from the peer arrive and it acknowledges this node's"
	if !strings.Contains(string(judge), `"`+h.Cause+`"`) {
		t.Errorf("two-way has no cause %q any more: change it here and in docs/status.md", h.Cause)
	}
	h.Holding.Told = &mailbox.Told{Age: 12 * time.Second}
	r := refresh.Report{Needed: true, Running: &yes, PID: 812, LastRun: &run, Refreshed: 120, Entries: 2564}
	if diff := cmp.Diff(strings.Split(sample, "\n"), StatusPage(h, conntrackd.NewSettingTable(), pairSettings(), r)); diff != "" {
		t.Errorf("docs/status.md (-page +printed):\n%s", diff)
	}
}

// Connections that expire on the peer are no part of a sync that is simply well.
func TestStatusPageNamesAStoppedRefresh(t *testing.T) {
	yes, no := true, false
	h, off := inSync(time.Now()), health.Health{Verdict: health.VerdictStopped, Off: true}
	stopped := []string{"warn     In sync both ways, but the refresh is down: connections in use expire on the peer.", "         -> connsync apply"}
	for name, tt := range map[string]struct {
		h    health.Health
		r    refresh.Report
		want []string
	}{
		"stopped":       {h, refresh.Report{Needed: true, Running: &no, Installed: true}, stopped},
		"not installed": {h, refresh.Report{Needed: true, Running: &no}, stopped},
		"running":       {h, refresh.Report{Needed: true, Running: &yes}, StatusLines(h)[:1]},
		"not needed":    {h, refresh.Report{Running: &no, Installed: true}, StatusLines(h)[:1]},
		"not known":     {h, refresh.Report{Needed: true}, StatusLines(h)[:1]},
		"sync is off":   {off, refresh.Report{Needed: true, Running: &no}, StatusLines(off)[:1]},
	} {
		got := StatusPage(tt.h, conntrackd.NewSettingTable(), pairSettings(), tt.r)
		if diff := cmp.Diff(tt.want, got[:min(len(got), len(tt.want))]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRefresh(t *testing.T) {
	yes, no, at := true, false, time.Now().Add(-3*time.Second)
	for want, r := range map[string]refresh.Report{
		"":                             {Running: &no},
		"refresh unknown: not allowed": {Needed: true, Error: "not allowed"},
		"refresh not installed: connections in use expire on the peer":             {Needed: true, Running: &no},
		"refresh stopped: connections in use expire on the peer":                   {Needed: true, Running: &no, Installed: true},
		"refresh stopped: the peer is not told what this node holds":               {Running: &no, Installed: true},
		"refresh running (process 7), idle: conntrackd does not run":               {Running: &yes, PID: 7, Idle: "conntrackd does not run"},
		"refresh running (process 7), last run failed: no table":                   {Running: &yes, PID: 7, Error: "no table"},
		"refresh running (process 7), last run 3 s ago: 2 of 40 entries refreshed": {Running: &yes, PID: 7, LastRun: &at, Refreshed: 2, Entries: 40},
	} {
		if got := Refresh(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
