package apply

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/pairtest"
)

// An address that has gone since the checks, with which conntrackd would not start, costs
// no running daemon.
func TestApplyRefusesAnAddressThatHasGone(t *testing.T) {
	a, _ := pairtest.New(t)
	if err := mustApply(a, a.Settings).Err; err != nil {
		t.Fatal(err)
	}
	before, gone, device := a.State(), a.Settings, a.Settings
	gone.Current = netip.MustParsePrefix("10.77.0.9/24")
	device.Interface = "eth99"
	for want, s := range map[string]conntrackd.Settings{
		"10.77.0.9 is not on " + gone.Interface: gone, "there is no interface eth99": device,
	} {
		c := candidateOf(a, s)
		outcome := applyOn(t.Context(), a, applierOf(a), c)
		if outcome.Err == nil || !strings.Contains(outcome.Err.Error(), want) || outcome.Changed || outcome.RolledBack {
			t.Errorf("error %v, want %q: %s", outcome.Err, want, statuses(outcome))
		}
		a.Do(func() error {
			if err := applierOf(a).Obstacle(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the obstacle is %v, want %q", err, want)
			}
			return nil
		})
	}
	if after := a.State(); after.MainPID != before.MainPID {
		t.Errorf("process %d became %d", before.MainPID, after.MainPID)
	}
}

// A rollback that fails says what is left to do, and why the old daemon does not start.
func TestApplyRollbackFails(t *testing.T) {
	a, _ := pairtest.New(t)
	if err := mustApply(a, a.Settings).Err; err != nil {
		t.Fatal(err)
	}
	other := a.Settings
	other.SendBuffer = 262144
	applier := applierOf(a)
	applier.replace = func(access *hostfile.Access, path string, read, content []byte) error {
		link, err := netlink.LinkByName(a.Settings.Interface)
		if err != nil {
			return err
		}
		address, err := netlink.ParseAddr(a.Settings.Current.String())
		if err != nil {
			return err
		}
		_ = netlink.AddrDel(link, address) // which the rollback finds gone
		return hostfile.ReplaceWith(access, path, read, content)
	}
	outcome := applyOn(t.Context(), a, applier, candidateOf(a, other))
	if outcome.Err == nil || outcome.RolledBack {
		t.Fatalf("error %v, rolled back %t: %s", outcome.Err, outcome.RolledBack, statuses(outcome))
	}
	for _, want := range []string{"the rollback failed", "Cannot assign requested address", "conntrackd is stopped now", "mend the cause, then conntrackd -d -C " + a.ConfigPath()} {
		if !strings.Contains(outcome.Err.Error(), want) {
			t.Errorf("error %v, want %q", outcome.Err, want)
		}
	}
}
