package dependents

import (
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
