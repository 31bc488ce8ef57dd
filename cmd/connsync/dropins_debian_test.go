package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

// conntrackdDropIns is where an operator's drop-ins of the unit are.
const conntrackdDropIns = "/etc/systemd/system/conntrackd.service.d/"

// What requires conntrackd's unit goes on running over a save, and is named before it.
func TestDebianDependentsAreSpared(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	p.shell(`printf '[Unit]\nRequires=conntrackd.service\nAfter=conntrackd.service\n[Service]\nExecStart=/bin/sleep 1000\n' >/etc/systemd/system/vrrp.service
		systemctl daemon-reload; systemctl start vrrp`)
	process := p.shell("systemctl show -P MainPID vrrp")
	const note = "vrrp.service depends on conntrackd (Requires=conntrackd.service). This save leaves it running"
	if said := p.run(append(p.apply(), "--dry-run")...); !strings.Contains(said, note) || !strings.Contains(said, "systemctl --job-mode=ignore-requirements restart conntrackd.service") {
		t.Errorf("before a save:\n%s", said)
	}
	p.run(p.apply()...)
	if now := p.shell("systemctl show -P MainPID vrrp"); now != process {
		t.Errorf("after the save it is process %s, and was %s", now, process)
	}
	if said := p.shell("connsync check | grep -A9 'comes back after a crash'"); !strings.Contains(said, "vrrp.service (Requires=conntrackd.service)") ||
		!strings.Contains(said, "systemctl edit --full vrrp.service") {
		t.Errorf("check:\n%s", said)
	}
	if said := p.run("apply", "--disable", "--dry-run"); !strings.Contains(said, "--job-mode=ignore-requirements stop conntrackd.service") {
		t.Errorf("before it is disabled:\n%s", said)
	}
	p.run("apply", "--disable")
	if now := p.shell("systemctl show -P MainPID vrrp; systemctl show -P MainPID conntrackd"); now != process+"\n0" {
		t.Errorf("disabled: the processes are %q, and vrrp's was %s", now, process)
	}

	// At boot it starts conntrackd, whose own unit is disabled.
	p.shell(`printf '[Install]\nWantedBy=multi-user.target\n' >>/etc/systemd/system/vrrp.service; systemctl daemon-reload; systemctl enable vrrp`)
	if said := p.shell("connsync status || true"); !strings.Contains(said, "conntrackd does not run, and at boot vrrp.service starts it") {
		t.Errorf("status:\n%s", said)
	}
	for _, when := range []string{"disabled as it is", "enabled"} {
		if said := p.run("apply", "--disable"); strings.Count(said, "vrrp.service starts conntrackd at boot all the same") != 1 {
			t.Errorf("%s:\n%s", when, said)
		}
		p.run(p.apply()...)
	}
}

// An operator's drop-in that undoes connsync's is named by the save and by check.
func TestDebianDropInIsUndone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	p.shell(`mkdir -p ` + conntrackdDropIns + `; printf '[Service]\nRestart=no\nExecStartPost=\n' >` + conntrackdDropIns + `override.conf; systemctl daemon-reload`)
	const crash = conntrackdDropIns + "connsync.conf is not in force: Restart=no; " + conntrackdDropIns + "override.conf comes after it"
	if said := p.run(p.apply()...); !strings.Contains(said, "unit-recovery: "+crash) {
		t.Errorf("the save says:\n%s", said)
	}
	said := p.shell("connsync check")
	for _, words := range []string{crash, "no ExecStartPost= runs conntrackd -C /etc/conntrackd/conntrackd.conf -n", "take those lines out of " + conntrackdDropIns + "override.conf"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), words) {
			t.Errorf("check has no %q:\n%s", words, said)
		}
	}
	p.shell("rm " + conntrackdDropIns + "override.conf; systemctl daemon-reload")
	if left := p.failedHostChecks(); len(left) > 0 {
		t.Errorf("without that drop-in check says %q", left)
	}
}
