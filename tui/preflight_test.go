package tui

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/netcheck/check"
)

// fakePlanner plans the real order of checks with answers of the test.
type fakePlanner struct {
	// findings differ from "passed"; after that long when delays says so.
	findings map[check.ID]check.Finding
	delays   map[check.ID]time.Duration
	// asked are the plans that were made: firstNode of each.
	asked []bool
	// ended counts checks whose context ended before their answer.
	ended chan check.ID
}

func (f *fakePlanner) Plan(s conntrackd.Settings, firstNode bool) []check.Check {
	f.asked = append(f.asked, firstNode)
	checks := planOf(firstNode)
	for i := range checks {
		id := checks[i].ID
		finding, ok := f.findings[id]
		if !ok {
			finding = check.Finding{Status: check.Passed, Detail: passDetails[id]}
		}
		delay := f.delays[id]
		checks[i].Run = func(ctx context.Context) check.Finding {
			select {
			case <-ctx.Done():
				if f.ended != nil {
					f.ended <- id
				}
				return check.Finding{Status: check.Unknown, Detail: "cancelled", Err: ctx.Err()}
			case <-time.After(delay):
				return finding
			}
		}
	}
	return checks
}

func planOf(firstNode bool) []check.Check {
	peer := check.Blocker
	if firstNode {
		peer = check.Warning
	}
	c := func(id check.ID, title string, severity check.Severity, needs ...check.ID) check.Check {
		return check.Check{ID: id, Title: title, Severity: severity, Needs: needs}
	}
	return []check.Check{
		c("interface", "Interface exists", check.Blocker),
		c("name-readable", "conntrackd can read its name", check.Blocker),
		c("link-up", "Interface is up", check.Blocker, "interface"),
		c("carrier", "Interface has a carrier", check.Blocker, "link-up"),
		c("dedicated", "Interface is dedicated to sync", check.Warning, "interface"),
		c("current-ip-assigned", "Current IP is on the interface", check.Blocker, "interface"),
		c("peer-distinct", "Peer IP is not a local address", check.Blocker),
		c("same-subnet", "Both addresses are in one subnet", check.Blocker, "peer-distinct"),
		c("route", "Route to the peer", check.Blocker, "carrier", "current-ip-assigned", "same-subnet"),
		c("duplicate-address", "Nobody else has Current IP", check.Blocker, "carrier"),
		c("peer-link", "Peer answers on the link", peer, "route"),
		c("peer-ping", "Peer answers ping", peer, "peer-link"),
		c("path-mtu", "Full-size packets arrive", check.Warning, "peer-ping"),
		c("port-free", "Port is free here", check.Blocker, "current-ip-assigned"),
		c("peer-port", "Peer's port is not closed", check.Warning, "peer-link"),
		c("firewall", "Firewall lets the port in", check.Warning),
		c("conntrack", "Kernel reports connections", check.Blocker),
		c("daemon", "conntrackd is installed", check.Blocker),
		c("daemon-lint", "conntrackd accepts the file", check.Blocker, "daemon"),
	}
}

var passDetails = map[check.ID]string{
	"interface": "eth1, physical", "name-readable": "eth1", "link-up": "up", "carrier": "10 Gb/s",
	"dedicated": "no default route", "current-ip-assigned": "10.0.0.101/24", "peer-distinct": "10.0.0.102",
	"same-subnet": "10.0.0.0/24", "route": "eth1, without a gateway, from 10.0.0.101",
	"duplicate-address": "no answer to 3 probes", "peer-link": "10.0.0.102 is at 02:00:00:00:00:02, 0.1 ms",
	"peer-ping": "3 of 3, 0.2 ms", "path-mtu": "1500 bytes", "port-free": "UDP 3780", "peer-port": "open or silent",
	"firewall": "nothing drops UDP 3780", "conntrack": "events on", "daemon": "conntrackd 1.4.7, Type=notify",
	"daemon-lint": "accepted without a warning",
}

var (
	noPeer = map[check.ID]check.Finding{
		"peer-link": {Status: check.Failed, Detail: "nobody on eth1 answers for 10.0.0.102 (ARP, 3 probes in 0.9 s)",
			Remedy: "bring up 10.0.0.102 on the peer, or change Peer IP"},
	}
	badHost = map[check.ID]check.Finding{
		"current-ip-assigned": {Status: check.Failed, Detail: "10.0.0.101 is not on eth1; eth1 has 10.0.0.7/24",
			Remedy: "set Current IP to 10.0.0.7/24, or run: ip address add 10.0.0.101/24 dev eth1"},
		"daemon": {Status: check.Failed, Detail: "no conntrackd in /usr/sbin or PATH", Remedy: "apt-get install conntrackd"},
	}
	warned = map[check.ID]check.Finding{
		"dedicated": {Status: check.Failed, Detail: "eth1 carries the default route: sync competes with production traffic",
			Remedy: "choose an interface of its own for the sync in Interface Name"},
		"path-mtu": {Status: check.Unknown, Detail: "raw socket: operation not permitted", Remedy: "run this as root"},
	}
	unknownBlocker = map[check.ID]check.Finding{
		"conntrack": {Status: check.Unknown, Detail: "only root may ask the kernel about tracked connections", Remedy: "run this as root"},
	}
)

// allIn says that every check of the plan takes that long.
func allIn(d time.Duration) map[check.ID]time.Duration {
	out := map[check.ID]time.Duration{}
	for _, c := range planOf(false) {
		out[c.ID] = d
	}
	return out
}

// toPreflight opens the checks before a save and lets time pass.
func toPreflight(t time.Duration, keys ...string) func(*driver) {
	return func(d *driver) {
		d.follow(saveWanted{pairSettings()})
		d.wait(t)
		d.press(keys...)
	}
}

func TestPreflightPages(t *testing.T) {
	with := func(findings map[check.ID]check.Finding) Effects {
		return Effects{Planner: &fakePlanner{findings: findings}}
	}
	slow := &fakePlanner{findings: warned, delays: map[check.ID]time.Duration{"route": time.Second, "daemon": time.Second, "firewall": time.Second}}
	pages := []page{
		{"running", Effects{Planner: slow}, toPreflight(100 * time.Millisecond)},
		{"passed", with(nil), toPreflight(time.Second)},
		{"warned", with(warned), toPreflight(time.Second)},
		{"blocked", with(badHost), toPreflight(time.Second)},
		{"offer", with(noPeer), toPreflight(time.Second)},
		{"firstnode", with(noPeer), toPreflight(time.Second, "f")},
		{"unknown", with(unknownBlocker), toPreflight(time.Second)},
		{"accepted", with(unknownBlocker), toPreflight(time.Second, "y")},
		{"stopped", Effects{Planner: slow}, func(d *driver) {
			toPreflight(100 * time.Millisecond)(d)
			d.top().(*preflight).close()
		}},
		{"checkonly", with(nil), func(d *driver) {
			d.follow(checkWanted{pairSettings()})
			d.wait(time.Second)
		}},
		{"noeffect", Effects{}, toPreflight(time.Second)},
	}
	checkPages(t, pages, "running", "blocked")
	checkWide(t, pages, "blocked", "firstnode")
}

func TestPreflightArrivesLineByLine(t *testing.T) {
	delays := map[check.ID]time.Duration{"port-free": 300 * time.Millisecond}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Planner: &fakePlanner{delays: delays}}}, 132, 43, func(d *driver) {
		toPreflight(100 * time.Millisecond)(d)
		before := strings.Split(d.content(), "\n")
		// One more result, without the end of the run.
		p := d.top().(*preflight)
		p.take(check.Result{ID: "port-free", Title: "Port is free here", Severity: check.Blocker,
			Finding: check.Finding{Status: check.Passed, Detail: "UDP 3780"}})
		var changed []string
		for i, line := range strings.Split(d.content(), "\n") {
			if line != before[i] {
				changed = append(changed, strings.Join(strings.Fields(line), " "))
			}
		}
		if diff := cmp.Diff([]string{"ok Port is free here UDP 3780"}, changed); diff != "" {
			t.Errorf("changed lines (-want +got):\n%s", diff)
		}
	})
}

func TestPreflightKeepsPlanOrder(t *testing.T) {
	delays := map[check.ID]time.Duration{}
	for i, c := range planOf(false) {
		delays[c.ID] = time.Duration(100-i) * time.Millisecond
	}
	drive(t, Options{Effects: Effects{Planner: &fakePlanner{delays: delays}}}, 80, 24, func(d *driver) {
		toPreflight(3 * time.Second)(d)
		var got, want []check.ID
		for _, r := range d.top().(*preflight).results {
			got = append(got, r.ID)
			if r.Status != check.Passed {
				t.Errorf("%s: %v %s", r.ID, r.Status, r.Detail)
			}
		}
		for _, c := range planOf(false) {
			want = append(want, c.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPreflightDecisions(t *testing.T) {
	tests := []struct {
		name     string
		findings map[check.ID]check.Finding
		keys     []string
		want     screen
		asked    []bool
	}{
		{"pass", nil, []string{"enter"}, &review{}, []bool{false}},
		{"warning", warned, []string{"enter"}, &review{}, []bool{false}},
		{"blocked", badHost, []string{"enter", "f", "y", "enter"}, &preflight{}, []bool{false}},
		{"silent peer", noPeer, []string{"enter", "y", "enter"}, &preflight{}, []bool{false}},
		{"first node", noPeer, []string{"f", "wait", "enter"}, &review{}, []bool{false, true}},
		{"first node withdrawn", noPeer, []string{"f", "wait", "f", "wait", "enter"}, &preflight{}, []bool{false, true, false}},
		{"unknown", unknownBlocker, []string{"enter"}, &preflight{}, []bool{false}},
		{"unknown accepted", unknownBlocker, []string{"y", "enter"}, &review{}, []bool{false}},
		{"unknown accepted and withdrawn", unknownBlocker, []string{"y", "y", "enter"}, &preflight{}, []bool{false}},
		{"unknown is asked about again", unknownBlocker, []string{"y", "r", "wait", "enter"}, &preflight{}, []bool{false, false}},
		{"back", nil, []string{"esc"}, &form{}, []bool{false}},
		{"peer port closed is no first node", map[check.ID]check.Finding{
			"peer-link": noPeer["peer-link"], "port-free": {Status: check.Failed, Detail: "held by ncat"}},
			[]string{"f", "wait", "enter"}, &preflight{}, []bool{false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			planner := &fakePlanner{findings: tt.findings}
			effects := Effects{Planner: planner, Reviewer: fakeReviewer{block: true}}
			drive(t, Options{Effects: effects}, 80, 24, func(d *driver) {
				toPreflight(time.Second)(d)
				for _, k := range tt.keys {
					if k == "wait" {
						d.wait(time.Second)
						continue
					}
					d.press(k)
				}
				d.wantScreen(tt.want)
				if diff := cmp.Diff(tt.asked, planner.asked); diff != "" {
					t.Errorf("plans asked for (-want +got):\n%s", diff)
				}
				if r, ok := d.top().(*review); ok && r.firstNode != tt.asked[len(tt.asked)-1] {
					t.Errorf("the review was told firstNode=%v", r.firstNode)
				}
			})
		})
	}
}

func TestPreflightIgnoresTypedAhead(t *testing.T) {
	planner := &fakePlanner{delays: map[check.ID]time.Duration{"daemon": time.Second}}
	drive(t, Options{Effects: Effects{Planner: planner, Reviewer: fakeReviewer{block: true}}}, 80, 24, func(d *driver) {
		toPreflight(100*time.Millisecond, "enter", "enter")(d) // while it runs
		d.wait(time.Second)
		d.wants("All 19 checks passed.")
		d.press("enter") // in the moment that it ends
		d.wantScreen(&preflight{})
		d.wait(dialogGrace)
		d.press("enter")
		d.wantScreen(&review{})
	})
}

func TestPreflightEndsAtOnce(t *testing.T) {
	for _, k := range []string{"esc", "ctrl+c"} {
		t.Run(k, func(t *testing.T) {
			planner := &fakePlanner{delays: allIn(time.Hour), ended: make(chan check.ID, 100)}
			drive(t, Options{Effects: Effects{Planner: planner}}, 80, 24, func(d *driver) {
				begin := time.Now()
				toPreflight(0, k)(d)
				d.settle()
				d.wantScreen(&form{})
				if took := time.Since(begin); took != 0 {
					t.Errorf("took %v", took)
				}
				// Every check that had been asked saw its context end.
				if n := len(planner.ended); n != 6 {
					t.Errorf("%d checks ended, want the 6 that need nothing", n)
				}
			})
		})
	}
}

func TestPreflightDropsStaleResults(t *testing.T) {
	planner := &fakePlanner{delays: allIn(50 * time.Millisecond), findings: badHost}
	drive(t, Options{Effects: Effects{Planner: planner}}, 80, 24, func(d *driver) {
		toPreflight(60 * time.Millisecond)(d)
		p := d.top().(*preflight)
		old := p.run
		planner.findings = nil
		d.press("r")
		stale := check.Result{ID: "daemon", Finding: check.Finding{Status: check.Failed, Detail: "stale"}}
		d.send(checkFinished{run: old, result: stale, more: make(chan check.Result)})
		d.send(planFinished{run: old, report: check.Report{Results: []check.Result{stale}}})
		d.send(graceEnded{old})
		d.lacks("stale")
		if p.state != preflightRunning || p.grace.over {
			t.Error("a message of the old run was taken for one of the new")
		}
		d.wait(2 * time.Second)
		d.wants("All 19 checks passed.")
	})
}

func TestPreflightShowsEveryFindingInFull(t *testing.T) {
	long := "the reply came from 02:00:00:00:00:03 on eth2, which is another wire, and " + strings.Repeat("it goes on ", 30) + "to its very end"
	findings := map[check.ID]check.Finding{
		"peer-ping": {Status: check.Failed, Detail: long, Remedy: "unplug eth2"},
	}
	for _, size := range goldenSizes {
		t.Run(size.name, func(t *testing.T) {
			drive(t, Options{Effects: Effects{Planner: &fakePlanner{findings: findings}}}, size.width, size.height, func(d *driver) {
				toPreflight(time.Second)(d)
				seen := map[string]bool{}
				d.press("a", "home")
				for range 60 {
					flat := strings.Join(strings.Fields(d.content()), " ")
					for _, part := range append(slices.Collect(maps.Values(passDetails)), "the reply came", "very end", "unplug eth2") {
						seen[part] = seen[part] || strings.Contains(flat, part)
					}
					d.press("down")
				}
				delete(seen, passDetails["peer-ping"])
				delete(seen, passDetails["path-mtu"]) // skipped
				for part, ok := range seen {
					if !ok {
						t.Errorf("%q was never in sight", part)
					}
				}
			})
		})
	}
}

func TestPreflightHostileText(t *testing.T) {
	t.Parallel()
	finding := check.Finding{Status: check.Failed, Detail: hostile, Remedy: hostile}
	effects := Effects{Planner: &fakePlanner{findings: map[check.ID]check.Finding{"interface": finding}}}
	checkHostile(t, effects, func(d *driver) {
		s := pairSettings()
		s.Interface = "eth1\x1b[2J"
		d.follow(saveWanted{s})
		d.wait(time.Second)
	})
}
