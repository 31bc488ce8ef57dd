package packaging

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// On a booted Debian whose conntrackd runs: installing changes no service,
// removing and purging leave conntrackd and its configuration as they were.
func TestDebOnADebian(t *testing.T) {
	t.Parallel()
	path := deb(t, goarch)
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	machine, err := lab.Boot(ctx, lab.MachineOptions{Name: "fw-a"})
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	in := func(command string) string {
		t.Helper()
		out, err := machine.Run(ctx, "sh", "-c", command)
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return out
	}
	// What is looked at before and after: every unit's state, who runs as
	// conntrackd since when, and all files of the configuration.
	services := func() string {
		return in("systemctl list-units --all --plain --no-legend --type=service,timer,socket | awk '!/systemd-|connsync-/ {print $1, $3, $4}' | sort;" +
			"systemctl show -p MainPID,ActiveEnterTimestampMonotonic,UnitFileState conntrackd.service")
	}
	files := func() string {
		return in("find /etc/conntrackd /etc/logrotate.d/conntrackd /etc/systemd/system /etc/default -type f -o -type l | grep -v connsync- | sort | while read -r f; do stat -c '%n %a %u %Y' $f; cat $f 2>/dev/null | sha256sum; done")
	}
	in("echo '# of the operator' >>/etc/conntrackd/conntrackd.conf")
	servicesBefore, filesBefore := services(), files()
	if !strings.Contains(servicesBefore, "conntrackd.service active running") {
		t.Fatalf("conntrackd does not run:\n%s", servicesBefore)
	}
	same := func(after string) {
		t.Helper()
		if now := services(); now != servicesBefore {
			t.Errorf("%s changed the services:\n%s\nbefore:\n%s", after, now, servicesBefore)
		}
		if now := files(); now != filesBefore {
			t.Errorf("%s changed files:\n%s\nbefore:\n%s", after, now, filesBefore)
		}
	}

	if err := machine.CopyIn(path, "/root/connsync.deb"); err != nil {
		t.Fatal(err)
	}
	in("dpkg -i /root/connsync.deb")
	same("installing")
	if got, want := strings.TrimSpace(in("connsync --version")), "connsync version "+version(t); got != want {
		t.Errorf("connsync --version: %q, want %q", got, want)
	}
	if got := in("ls -A /etc/connsync; systemctl is-enabled connsync-metrics.timer connsync-refresh.service connsync-application.service connsync-application.path connsync-setup.service || true"); got != "disabled\ndisabled\nenabled\nenabled\nenabled\n" {
		t.Errorf("/etc/connsync and the units: %q, want no file, the timer and the refresh disabled and the others enabled", got)
	}
	if got := in("systemctl list-units --plain --no-legend --state=active,activating,failed 'connsync-*'"); got != "" {
		t.Errorf("installing started units:\n%s", got)
	}
	if got := in("dpkg --verify connsync; command -v connsync"); got != "/usr/sbin/connsync\n" {
		t.Errorf("dpkg --verify, and where it is: %q", got)
	}
	in("dpkg -i /root/connsync.deb")
	same("installing again")

	in("mkdir -p /var/lib/connsync/history && echo x >/var/lib/connsync/history/000001.before && echo LLB >/etc/connsync/application")
	in("dpkg -r connsync")
	same("removing")
	if got := in("cat /etc/connsync/application /var/lib/connsync/history/000001.before; ls /usr/sbin/connsync 2>&1 || true"); !strings.HasPrefix(got, "LLB\nx\nls: ") {
		t.Errorf("after the removal: %q, want what was kept and no program", got)
	}
	in("dpkg -P connsync")
	same("purging")
	if got := in("ls -d /etc/connsync /var/lib/connsync 2>/dev/null || true; systemctl is-system-running; find /etc/systemd -name 'connsync-*'"); got != "running\n" {
		t.Errorf("after the purge: %q, want nothing left and all units well", got)
	}
}

// On a node whose pair is in sync: a newer and an older version, the same one again,
// removal and purge leave the daemon and its sync alone, and ask nothing. What has been
// prepared for conntrackd outlives the program, and so does the record that undoing it
// needs; the removal says so.
func TestDebLeavesALivePairInSync(t *testing.T) {
	t.Parallel()
	path := deb(t, goarch)
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	machine, err := lab.Boot(ctx, lab.MachineOptions{Name: "fw-a"})
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	peer, program := peerOf(t, ctx, machine, path)
	for target, source := range map[string]string{"/root/connsync.deb": path, "/root/older.deb": versionOf(t, path, "0.0.1-1"), "/root/newer.deb": versionOf(t, path, "99.0-1")} {
		if err := machine.CopyIn(source, target); err != nil {
			t.Fatal(err)
		}
	}
	in := func(command string) string {
		t.Helper()
		out, err := machine.Run(ctx, "sh", "-c", command+" </dev/null 2>&1")
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return out
	}
	in("dpkg -i /root/connsync.deb")
	in("mkdir -p /etc/keepalived /var/lib/prometheus/node-exporter")
	in(`echo 'notify "/usr/sbin/connsync failover" root' >/etc/keepalived/keepalived.conf`)
	in("connsync apply --enable --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24")
	in("systemctl start connsync-metrics.service && grep two-way /var/lib/prometheus/node-exporter/connsync.prom")
	daemon := in("systemctl show -p MainPID,NRestarts,ActiveEnterTimestampMonotonic conntrackd.service")
	for _, step := range []struct{ command, says, after string }{
		{"dpkg -i /root/newer.deb", "", "connsync status && systemctl is-active connsync-refresh.service"},
		{"dpkg -i /root/older.deb", "downgrading", "connsync status && systemctl is-active connsync-refresh.service"},
		{"dpkg -i /root/connsync.deb", "", "connsync status && systemctl is-active connsync-refresh.service"},
		{"dpkg -i /root/connsync.deb", "", "connsync status && systemctl is-active connsync-refresh.service"},
		{"dpkg -r connsync", "connsync unprepare", "test -e /var/lib/connsync/history && ! test -e /var/lib/prometheus/node-exporter/connsync.prom"},
		{"dpkg -i /root/connsync.deb", "", "connsync status && systemctl is-active connsync-refresh.service && systemctl start connsync-metrics.service"},
		{"dpkg -P connsync", "keepalived's configuration calls", `test "$(find /var/lib/connsync -type f)" = /var/lib/connsync/prepared.json && ! test -e /var/lib/prometheus/node-exporter/connsync.prom && grep notify /etc/keepalived/keepalived.conf`},
	} {
		if out := in(step.command); !strings.Contains(out, step.says) {
			t.Errorf("%s does not say %q:\n%s", step.command, step.says, out)
		}
		in(step.after)
		if now := in("systemctl show -p MainPID,NRestarts,ActiveEnterTimestampMonotonic conntrackd.service"); now != daemon {
			t.Errorf("after %s the daemon is %s, it was %s", step.command, now, daemon)
		}
		if out, err := peer.Run(ctx, program, "status"); err != nil {
			t.Errorf("after %s the peer says: %v\n%s", step.command, err, out)
		}
	}
}

// peerOf is a node that syncs with a machine over eth1, and the program of a package
// there.
func peerOf(t *testing.T, ctx context.Context, machine *lab.Machine, path string) (peer *lab.Node, program string) {
	t.Helper()
	peer, err := lab.NewNode(ctx, "fw-b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := lab.Veth(machine.Namespace, lab.SyncInterface, peer.Namespace, lab.SyncInterface); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", path, dir)
	program = filepath.Join(dir, "usr/sbin/connsync")
	for _, step := range []struct {
		on      *lab.Node
		command string
	}{
		{machine.Node, "ip address add 10.0.0.101/24 dev eth1 && ip link set eth1 up"},
		{peer, "ip address add 10.0.0.102/24 dev eth1 && ip link set eth1 up"},
		{peer, program + " apply --enable --first-node --interface eth1 --current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24"},
	} {
		if out, err := step.on.Run(ctx, "sh", "-c", step.command); err != nil {
			t.Fatalf("%s: %v\n%s", step.command, err, out)
		}
	}
	return peer, program
}

// versionOf is a package with another version and the same content.
func versionOf(t *testing.T, path, version string) string {
	t.Helper()
	dir := t.TempDir()
	content, other := filepath.Join(dir, "content"), filepath.Join(dir, version+".deb")
	run(t, "dpkg-deb", "-R", path, content)
	run(t, "sed", "-i", "s/^Version: .*/Version: "+version+"/", filepath.Join(content, "DEBIAN/control"))
	run(t, "dpkg-deb", "-Znone", "-b", content, other)
	return other
}

// The refresh that a save has started goes with the package where another init
// than systemd runs it; conntrackd stays.
func TestRemovalStopsTheRefreshWithoutSystemd(t *testing.T) {
	t.Parallel()
	path := deb(t, goarch)
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	for _, init := range []lab.Init{lab.SysV, lab.OpenRC} {
		machine, err := lab.Boot(ctx, lab.MachineOptions{Name: "fw-a", Debian: lab.Debian{Init: init}})
		if err != nil {
			t.Fatal(err)
		}
		defer machine.Close()
		if err := machine.CopyIn(path, "/root/connsync.deb"); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct{ command, want string }{
			{"dpkg -i /root/connsync.deb", ""},
			{"ip link add eth1 type veth peer name eth2 && ip link set eth2 up && ip address add 10.0.0.101/24 dev eth1 && ip link set eth1 up", ""},
			{"connsync apply --enable --first-node --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24", ""},
			{"pidof connsync && pidof conntrackd", ""},
			{"dpkg -r connsync", "connsync unprepare"},
			{"! pidof connsync && pidof conntrackd", ""},
			{"dpkg -i /root/connsync.deb", ""},
			{"pidof connsync && pidof conntrackd", ""},
		} {
			out, err := machine.Run(ctx, "sh", "-c", step.command)
			if err != nil || !strings.Contains(out, step.want) {
				t.Fatalf("%s: %s: %v, want %q in:\n%s", init, step.command, err, step.want, out)
			}
		}
	}
}
