package netcheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
)

// TestPlan reads the plan as a timetable: id, severity, what it waits for, and what its
// finding waits for.
func TestPlan(t *testing.T) {
	four := target{Interface: "eth1", Current: "10.0.0.101/24", Peer: "10.0.0.102/24", Port: 3780}
	six := target{Interface: "eth1", Current: "fd00::101/64", Peer: "fd00::102/64", Port: 3780}
	first := four
	first.FirstNode = true
	plan := func(t target) string {
		var b strings.Builder
		for _, c := range Plan(t.Target()) {
			fmt.Fprintf(&b, "%s %v", c.ID, c.Severity)
			for _, id := range c.Needs {
				fmt.Fprintf(&b, " %s", id)
			}
			for _, id := range c.Beside {
				fmt.Fprintf(&b, " beside %s", id)
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	const want = `interface blocker
link-up blocker interface
carrier blocker link-up
dedicated warning interface
current-ip-assigned blocker interface
peer-distinct blocker
same-subnet blocker peer-distinct
route blocker carrier current-ip-assigned same-subnet
duplicate-address blocker carrier current-ip-assigned
peer-link blocker carrier current-ip-assigned same-subnet
peer-ping blocker route peer-link beside duplicate-address
path-mtu blocker peer-ping
port-free blocker current-ip-assigned
peer-port blocker route peer-link beside duplicate-address
firewall warning interface
conntrack blocker
`
	if diff := cmp.Diff(want, plan(four)); diff != "" {
		t.Errorf("IPv4 (-want +got):\n%s", diff)
	}
	wantSix := strings.Replace(want, "current-ip-assigned blocker interface", "current-ip-assigned blocker carrier", 1)
	if diff := cmp.Diff(wantSix, plan(six)); diff != "" {
		t.Errorf("IPv6 (-want +got):\n%s", diff)
	}
	// A straight cable has no carrier while the peer is off: what can be asked without one is.
	wantFirst := strings.NewReplacer("route blocker carrier ", "route blocker ", "duplicate-address blocker carrier ", "duplicate-address blocker ").Replace(want)
	for _, id := range []check.ID{CheckCarrier, CheckPeerLink, CheckPeerPing, CheckPathMTU, CheckPeerPort} {
		wantFirst = strings.Replace(wantFirst, "\n"+string(id)+" blocker", "\n"+string(id)+" warning", 1)
	}
	if diff := cmp.Diff(wantFirst, plan(first)); diff != "" {
		t.Errorf("first node (-want +got):\n%s", diff)
	}
}

// TestPlanIsSound: every check has a title of its own and something to ask,
// and needs only what stands before it, so that a report reads from cause to
// consequence.
func TestPlanIsSound(t *testing.T) {
	var ids []check.ID
	titles := map[string]bool{}
	for _, c := range Plan(Target{}) {
		if c.Title == "" || titles[c.Title] || c.Run == nil {
			t.Errorf("%s: title %q, run %t", c.ID, c.Title, c.Run != nil)
		}
		titles[c.Title] = true
		for _, need := range append(slices.Clone(c.Needs), c.Beside...) {
			if !slices.Contains(ids, need) {
				t.Errorf("%s needs %s, which does not stand before it", c.ID, need)
			}
		}
		if slices.Contains(ids, c.ID) {
			t.Errorf("%s is there twice", c.ID)
		}
		ids = append(ids, c.ID)
	}
}

// TestRootCauses runs the real plan with each check in turn failing, and looks
// who is still asked.
func TestRootCauses(t *testing.T) {
	for _, tt := range []struct {
		fails   check.ID
		skipped []check.ID
	}{
		{CheckInterface, []check.ID{CheckLinkUp, CheckCarrier, CheckDedicated, CheckCurrentAssigned, CheckRoute, CheckDuplicateAddress,
			CheckPeerLink, CheckPeerPing, CheckPathMTU, CheckPortFree, CheckPeerPort, CheckFirewall}},
		{CheckLinkUp, []check.ID{CheckCarrier, CheckRoute, CheckDuplicateAddress, CheckPeerLink, CheckPeerPing, CheckPathMTU, CheckPeerPort}},
		{CheckDedicated, nil},
		{CheckPeerDistinct, []check.ID{CheckSameSubnet, CheckRoute, CheckPeerLink, CheckPeerPing, CheckPathMTU, CheckPeerPort}},
		{CheckRoute, []check.ID{CheckPeerPing, CheckPathMTU, CheckPeerPort}},
		{CheckDuplicateAddress, []check.ID{CheckPeerPing, CheckPathMTU, CheckPeerPort}},
		{CheckPeerLink, []check.ID{CheckPeerPing, CheckPathMTU, CheckPeerPort}},
		{CheckPeerPing, []check.ID{CheckPathMTU}},
		{CheckPortFree, nil},
		{CheckPeerPort, nil},
		{CheckConntrack, nil},
	} {
		t.Run(string(tt.fails), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				checks := Plan(Target{Flow: firewall.Flow{Peer: prefix("10.0.0.102/24")}})
				titles := map[check.ID]string{}
				for i := range checks {
					titles[checks[i].ID] = checks[i].Title
					status := check.Passed
					if checks[i].ID == tt.fails {
						status = check.Failed
					}
					checks[i].Run = func(ctx context.Context) check.Finding {
						select {
						case <-time.After(time.Second):
						case <-ctx.Done():
						}
						return check.Finding{Status: status}
					}
				}
				var skipped []check.ID
				for _, r := range check.Run(context.Background(), checks, nil).Results {
					if r.Status == check.Skipped {
						skipped = append(skipped, r.ID)
						if want := fmt.Sprintf("needs %q", titles[tt.fails]); r.Detail != want {
							t.Errorf("%s: %q, want %q", r.ID, r.Detail, want)
						}
					}
				}
				if diff := cmp.Diff(tt.skipped, skipped); diff != "" {
					t.Errorf("skipped (-want +got):\n%s", diff)
				}
			})
		})
	}
}
