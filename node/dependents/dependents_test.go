package dependents

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/service"
	"connsync/netcheck/check"
)

func TestUnitsBesideConntrackd(t *testing.T) {
	required := service.Dependent{Unit: "keepalived.service", Directive: "Requires=conntrackd.service"}
	bound := service.Dependent{Unit: "vip.service", Directive: "BindsTo=conntrackd.service", Bound: true}
	both := []service.Dependent{required, bound}
	passed := check.Finding{Status: check.Passed, Detail: "the drop-in does it"}
	missing := check.Finding{Status: check.Failed, Detail: "no drop-in", Remedy: "connsync apply --prepare-host", Mend: check.MendHost}
	const beside = "; systemd restarts or stops with conntrackd, after a crash too: keepalived.service (Requires=conntrackd.service), " +
		"vip.service (BindsTo=conntrackd.service); a save leaves running what it can"
	for _, tt := range []struct {
		found  check.Finding
		beside []service.Dependent
		want   check.Finding
	}{
		{passed, nil, passed},
		{passed, both, check.Finding{Status: check.Failed, Detail: passed.Detail + beside, Remedy: "systemctl edit --full keepalived.service: Wants= in place of Requires=conntrackd.service"}},
		{missing, both, check.Finding{Status: check.Failed, Detail: missing.Detail + beside, Remedy: missing.Remedy, Mend: missing.Mend}},
	} {
		if diff := cmp.Diff(tt.want, Beside(tt.found, tt.beside)); diff != "" {
			t.Errorf("%s, %d beside (-want +got):\n%s", tt.found.Status, len(tt.beside), diff)
		}
	}
	want := []string{
		"keepalived.service depends on conntrackd (Requires=conntrackd.service). This save leaves it running; a plain systemctl stop of conntrackd would not.",
		"vip.service stops with conntrackd (BindsTo=conntrackd.service): this save ends it, and systemctl start vip.service would start conntrackd too.",
	}
	if diff := cmp.Diff(want, notesOn(both, service.ActionStop)); diff != "" {
		t.Errorf("a stop (-want +got):\n%s", diff)
	}
	want = []string{
		"keepalived.service depends on conntrackd (Requires=conntrackd.service). This save leaves it running; a plain systemctl restart of conntrackd would not.",
		"vip.service depends on conntrackd (BindsTo=conntrackd.service). This save leaves it running; a plain systemctl restart of conntrackd would not.",
	}
	if diff := cmp.Diff(want, notesOn(both, service.ActionRestart)); diff != "" {
		t.Errorf("a restart (-want +got):\n%s", diff)
	}
}

// What keeps conntrackd off is in the words of the manager that would start it.
func TestStartedByAnother(t *testing.T) {
	direct := &service.Direct{}
	for _, tt := range []struct {
		of   service.Service
		want []string
	}{
		{service.NewSystemd(""), []string{"ha starts conntrackd at boot all the same: take it out of that unit, or run systemctl mask conntrackd.service after the save."}},
		{service.NewOpenRC(direct), []string{"ha starts conntrackd at boot all the same: take conntrackd out of need and want in /etc/init.d/ha."}},
		{direct, nil},
	} {
		if diff := cmp.Diff(tt.want, StartedBy(tt.of, service.State{StartedBy: "ha"}, false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.of.Name(), diff)
		}
		if more := append(StartedBy(tt.of, service.State{StartedBy: "ha"}, true), StartedBy(tt.of, service.State{}, false)...); more != nil {
			t.Errorf("%s, enabled, or started by none: %q", tt.of.Name(), more)
		}
	}
}

// What is not so, or not known, of a manager is not passed.
func TestWithoutSystemd(t *testing.T) {
	direct := &service.Direct{Config: "/etc/conntrackd/conntrackd.conf"}
	for name, tt := range map[string]struct {
		found  check.Finding
		status check.Status
		words  string
	}{
		"openrc":  {Restarts(service.NewOpenRC(direct), service.Keeper{}, "connsync apply"), check.Failed, "OpenRC does not start conntrackd again by itself after a crash; a crash leaves its lock file"},
		"sysv":    {Restarts(service.NewSysV(direct), service.Keeper{}, "connsync apply"), check.Failed, "SysV init does not start"},
		"direct":  {Restarts(direct, service.Keeper{}, "connsync apply"), check.Unknown, "what starts it again after a crash is not known"},
		"respawn": {Restarts(direct, service.Keeper{Name: "procd", PID: 7}, "connsync apply"), check.Unknown, "procd (process 7) starts it again, but a crash leaves its lock file"},

		"openrc sends": {Sends(service.NewOpenRC(direct)), check.Failed, "after another start, OpenRC has nothing sent"},
		"sysv sends":   {Sends(service.NewSysV(direct)), check.Failed, "after another start, SysV init has nothing sent"},
		"direct sends": {Sends(direct), check.Unknown, "whether that has them sent, is not known"},
	} {
		if tt.found.Status != tt.status || !strings.Contains(tt.found.Detail, tt.words) || tt.found.Remedy == "" || !tt.found.Lasting {
			t.Errorf("%s: %s: %s -> %s", name, tt.found.Status, tt.found.Detail, tt.found.Remedy)
		}
	}
}
