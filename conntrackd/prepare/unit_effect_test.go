package prepare

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/service"
)

const testLock = "/run/lock/conntrackd.lock"

// dropInSetup is the unit with nothing but connsync's drop-in, as systemd shows it.
func dropInSetup(path string) service.UnitSetup {
	return service.UnitSetup{
		Usable: true, Restart: "always", RestartPause: 200 * time.Millisecond, StartLimit: 60, StartLimitInterval: time.Minute, DropIns: []string{path},
		StartPre: []string{
			`/bin/sh -c until [ -n "$(ip -o address show dev 'eth1' to 10.0.0.101/32 -tentative 2>/dev/null)" ]; do sleep 0.1; done`,
			strings.Join(removal(testLock), " "),
		},
		StartPost: []string{"/usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf -n", "/usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf -B"},
	}
}

// A drop-in that another one undoes is not in force, whatever its own content is.
func TestDropInThatIsUndone(t *testing.T) {
	const (
		path  = "/etc/systemd/system/conntrackd.service.d/" + dropInName
		later = "/etc/systemd/system/conntrackd.service.d/override.conf"
	)
	c := &conntrackd.Candidate{
		Path: "/etc/conntrackd/conntrackd.conf", New: []byte("General { LockFile " + testLock + " }\n"),
		Settings: conntrackd.Settings{Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.101/24")},
	}
	for name, tt := range map[string]struct {
		undo          func(u *service.UnitSetup)
		crash, resync string // words of the detail; blank where it is in place
	}{
		"nothing":                {func(*service.UnitSetup) {}, "", ""},
		"no restart":             {func(u *service.UnitSetup) { u.Restart = "no" }, "Restart=no; " + later + " comes after it", ""},
		"no commands":            {func(u *service.UnitSetup) { u.StartPre, u.StartPost = nil, nil }, "no ExecStartPre= removes " + testLock, "no ExecStartPost= runs conntrackd -C /etc/conntrackd/conntrackd.conf -n"},
		"the lock alone":         {func(u *service.UnitSetup) { u.StartPre = u.StartPre[1:] }, "no ExecStartPre= waits for 10.0.0.101 on eth1", ""},
		"no bulk":                {func(u *service.UnitSetup) { u.StartPost = u.StartPost[:1] }, "", "conntrackd.conf -B"},
		"another file's bulk":    {func(u *service.UnitSetup) { u.StartPost[1] = "/usr/sbin/conntrackd -C /etc/other.conf -B" }, "", "conntrackd.conf -B"},
		"a limit":                {func(u *service.UnitSetup) { u.StartLimit = 1 }, "after 1 starts within 1m0s systemd gives up (StartLimitBurst=)", ""},
		"another limit, as long": {func(u *service.UnitSetup) { u.StartLimit, u.RestartPause = 5, 3*time.Second }, "", ""},
		"a pause beyond the limit": {func(u *service.UnitSetup) {
			u.StartLimit, u.RestartPause, u.StartLimitInterval = 5, 3*time.Second, 10*time.Second
		}, "", ""},
		"no restart after a kill":              {func(u *service.UnitSetup) { u.NoRestartAfter = []int32{15, 9} }, "RestartPreventExitStatus= has the signal", ""},
		"a drop-in that systemd does not read": {func(u *service.UnitSetup) { u.Restart, u.DropIns = "no", []string{later} }, "Restart=no; systemd does not read it", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewPreparer(service.NewSystemd(service.DefaultUnit), "/var/lib/connsync", Refresh{})
			p.root, p.ownHost = t.TempDir(), func() (bool, error) { return true, nil }
			if err := os.MkdirAll(filepath.Dir(p.path(path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p.path(path), []byte(dropIn(c, "/usr/sbin/conntrackd", testLock)), 0o644); err != nil {
				t.Fatal(err)
			}
			u := dropInSetup(path)
			u.DropIns = append(u.DropIns, later)
			tt.undo(&u)
			p.effect = func(context.Context) (service.UnitSetup, error) { return u, nil }
			found := p.Look(t.Context(), c)
			for id, words := range map[ItemID]string{ItemUnit: tt.crash, ItemResync: tt.resync} {
				i, _ := found.Item(id)
				want := ItemForeign
				if words == "" {
					want, words = ItemInPlace, path+" does it"
				}
				if i.State != want || !strings.Contains(i.Detail, words) || (i.Remedy != "") != (want == ItemForeign) {
					t.Errorf("%s is %s: %s (%q); want %s with %q", id, i.State, i.Detail, i.Remedy, want, words)
				}
			}
		})
	}
}
