package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostFault is something wrong with a host on which the old settings run.
type hostFault struct {
	name string
	make string // shell
	undo string
	// save are more words of the save, which asks for buffers of 256 KiB.
	save []string
	// says is what the save has to tell, besides failing.
	says string
	// died says that the fault itself ends the daemon: the next save of the old
	// settings has to bring it back.
	died bool
}

// startedBy has the unit start conntrackd by a shell that behaves otherwise
// with the new settings.
func startedBy(service, withNew string) string {
	const dir = "/etc/systemd/system/conntrackd.service.d"
	return fmt.Sprintf(`mkdir -p %[1]s && cat >%[1]s/zz-fault.conf <<'EOF'
[Service]
NotifyAccess=all
ExecStart=
ExecStart=/bin/sh -c 'if grep -q 262144 /etc/conntrackd/conntrackd.conf; then %[3]s; fi; exec /usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf'
%[2]s
EOF
systemctl daemon-reload`, dir, service, withNew)
}

const asBefore = "rm -f /etc/systemd/system/conntrackd.service.d/zz-fault.conf; systemctl daemon-reload"

func hostFaults() []hostFault {
	const noise = `head -c 1048576 /dev/zero | tr "\\\\000" x; echo; printf "\\\\033]0;owned\\\\007 \\\\033[2J nul \\\\000 \\\\302\\\\233 end\\\\n"; exit 3`
	const etc = "/etc/conntrackd"
	return []hostFault{
		{name: "the unit is masked", make: "systemctl mask conntrackd", undo: "systemctl unmask conntrackd",
			says: `conntrackd\.service is masked|the unit is masked: unmask it with systemctl unmask conntrackd\.service`},
		{name: "there is no unit", save: []string{"--service", "systemd"},
			make: "mv /lib/systemd/system/conntrackd.service /root/; mv /etc/init.d/conntrackd /root/; systemctl daemon-reload",
			undo: "mv /root/conntrackd.service /lib/systemd/system/; mv /root/conntrackd /etc/init.d/; systemctl daemon-reload",
			says: `there is no (such unit|conntrackd\.service)`},
		{name: "a unit of another type", make: startedBy("Type=simple\nRestart=no", "exit 3"), undo: asBefore,
			says: `the daemon (did not start|started and did not stay up): failed \(Result: exit-code, status=3\) \(`},
		{name: "a unit that forks", make: startedBy("Type=forking\nRestart=no\nTimeoutStartSec=5", "exit 3") + "; sed -i 's,exec /usr/sbin/conntrackd,exec /usr/sbin/conntrackd -d,' /etc/systemd/system/conntrackd.service.d/zz-fault.conf; systemctl daemon-reload",
			undo: asBefore, says: `the daemon did not start`},
		{name: "conntrackd dies two seconds after its start", make: startedBy("", "exec timeout 2 /usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf"), undo: asBefore,
			// On a busy host the two seconds are over before it has started.
			says: `the daemon (started and did not stay up|did not start): .*status=124`},
		{name: "the start limit is reached", make: startedBy("Restart=on-failure\n[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1", "exit 3"), undo: asBefore,
			says: `the daemon did not start|refuses to start it again so soon`},
		{name: "no word can be had of systemd", make: "systemctl stop dbus.socket dbus.service; mv /run/systemd/private /run/systemd/private.away",
			undo: "mv /run/systemd/private.away /run/systemd/private; systemctl start dbus.socket",
			says: `(?s)held by this node's conntrackd.*the service manager cannot be reached`},
		{name: "the disk is full", says: `no space left on device`,
			make: "mkdir -p /mnt/full && mount -t tmpfs -o size=256k tmpfs /mnt/full && cp -a " + etc + "/. /mnt/full && { cat /dev/zero >/mnt/full/filler 2>/dev/null; true; } && mount --bind /mnt/full " + etc,
			undo: "umount " + etc + " && umount /mnt/full"},
		{name: "the disk of the history is full", says: `no space left on device`,
			make: "mkdir -p /mnt/full && mount -t tmpfs -o size=256k tmpfs /mnt/full && cp -a /var/lib/connsync/. /mnt/full && { cat /dev/zero >/mnt/full/filler 2>/dev/null; true; } && mount --bind /mnt/full /var/lib/connsync",
			undo: "umount /var/lib/connsync && umount /mnt/full"},
		{name: "the file system is read-only", says: `read-only file system`,
			make: "mount --bind " + etc + " " + etc + " && mount -o remount,bind,ro " + etc, undo: "umount " + etc},
		{name: "hostile words in the journal and on the interface", undo: asBefore + "; ip link set " + "eth1" + " alias ''",
			make: startedBy("Restart=no", noise) + `; ip link set eth1 alias "$(printf '\033[31malias\033]0;owned\007\302\233')"`,
			says: `the daemon did not start`},
		{name: "the lock of a killed daemon", died: true, save: []string{"--prepare-host=false"},
			make: "mv /etc/systemd/system/conntrackd.service.d/connsync.conf /root/; systemctl daemon-reload; systemctl kill -s KILL conntrackd; until systemctl is-failed -q conntrackd; do sleep 0.1; done; test -e /var/lock/conntrackd.lock",
			undo: "mv /root/connsync.conf /etc/systemd/system/conntrackd.service.d/; systemctl daemon-reload",
			says: "(?s)-> connsync apply --prepare-host.*lockfile `/var/lock/conntrackd.lock' exists"},
	}
}

// Whatever is wrong with the host, a save fails with a message, and the old
// settings are in force as before: the daemon listens with the old buffers, and
// states go both ways.
func TestDebianFaultsLeaveTheOldSettingsInForce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	p.run(p.apply()...)
	p.inForce(t)
	for _, f := range hostFaults() {
		t.Run(f.name, func(t *testing.T) {
			before := p.shell("sha256sum /etc/conntrackd/conntrackd.conf")
			p.shell(f.make)
			words := append(append(p.apply(), "--enable", "--send-buffer", "256K", "--receive-buffer", "256K"), f.save...)
			began := time.Now()
			out, err := p.machine.Run(ctx, "/usr/sbin/connsync", words...)
			t.Logf("measured: %v\n%s", time.Since(began).Round(time.Millisecond), out)
			if err == nil || !regexp.MustCompile(f.says).MatchString(out) {
				t.Errorf("%v: the save does not say %s", err, f.says)
			}
			if bad := regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f\x{80}-\x{9f}]|.{1000}`).FindString(out); bad != "" {
				t.Errorf("it prints %.200q", bad)
			}
			if strings.Contains(out, "NOT") {
				t.Error("the old state is not back")
			}
			if hostile := p.shell(`grep -rlP '[\x00-\x08\x0e-\x1f\x7f]' /etc/conntrackd /var/lib/connsync || true`); hostile != "" && !strings.Contains(f.name, "full") {
				t.Errorf("control characters in %s", hostile)
			}
			if !f.died {
				p.inForce(t)
			}
			p.shell(f.undo)
			if after := p.shell("sha256sum /etc/conntrackd/conntrackd.conf"); after != before {
				t.Errorf("the file was %s and is %s", before, after)
			}
			if f.died {
				p.run(p.apply()...)
				p.inForce(t)
			}
		})
	}
	t.Run("neither enabled nor disabled", p.halfEnabled)
}

// halfEnabled: a daemon that runs and does not start at boot, or the reverse,
// is called neither, and nothing is stopped or disabled unasked.
func (p *preparedPair) halfEnabled(t *testing.T) {
	for _, half := range []struct{ make, words, json string }{
		{"systemctl disable conntrackd", "conntrackd runs now, and does not start at boot", `"running": true,\s+"at_boot": false`},
		{"systemctl enable conntrackd; systemctl stop conntrackd", "conntrackd starts at boot, and does not run now", `"running": false,\s+"at_boot": true`},
	} {
		p.shell(half.make + " 2>&1")
		before := unit(t, p.ctx, p.machine)
		if out := p.run("show"); !strings.Contains(out, "half: "+half.words) {
			t.Errorf("show:\n%s", out)
		}
		if out := p.run("show", "--json"); !regexp.MustCompile(half.json).MatchString(out) || !strings.Contains(out, `"enabled": null`) {
			t.Errorf("show --json:\n%s", out)
		}
		out, err := p.machine.Run(p.ctx, "/usr/sbin/connsync", "apply", "--send-buffer", "128K")
		if err == nil || !strings.Contains(out, half.words+": give --enable for both or --disable for neither; nothing was changed") {
			t.Errorf("apply without a word on it: %v\n%s", err, out)
		}
		if out, err := p.machine.Run(p.ctx, "sh", "-c", "connsync show --json | connsync apply --from -"); err == nil || !strings.Contains(out, "give --enable") {
			t.Errorf("what show prints, applied: %v\n%s", err, out)
		}
		if diff := cmp.Diff(before, unit(t, p.ctx, p.machine)); diff != "" {
			t.Errorf("the unit (-before +after):\n%s", diff)
		}
		// Its exit status is the verdict's.
		if out, _ := p.machine.Run(p.ctx, "/usr/sbin/connsync", "status"); !strings.Contains(out, "start at boot") {
			t.Errorf("status:\n%s", out)
		}
		p.run(p.apply()...)
		if got := unit(t, p.ctx, p.machine); got["ActiveState"] != "active" || got["UnitFileState"] != "enabled" {
			t.Errorf("enabled, the unit is %v", got)
		}
		p.inForce(t)
	}
}

// inForce asserts by the kernel's sockets and by states that go both ways that
// the first settings are in force on the machine.
func (p *preparedPair) inForce(t *testing.T) {
	t.Helper()
	sockets := p.shell("ss -HOuanpm | grep '\"conntrackd\"'")
	if !regexp.MustCompile(`10\.0\.0\.101:3780 .*rb131072,`).MatchString(sockets) || !regexp.MustCompile(`tb131072,`).MatchString(sockets) {
		t.Errorf("the sockets are:\n%s", sockets)
	}
	p.flows(p.machine.Node, 5)
	p.awaitFlows(p.peer, 5, 3*time.Second, "of the machine")
	p.noFlows(p.machine.Node)
	p.flows(p.peer, 5)
	p.awaitFlows(p.machine.Node, 5, 3*time.Second, "of the peer")
	p.noFlows(p.peer)
}
