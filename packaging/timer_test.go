package packaging

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// The timer's service, with all that it is denied, sees a sync that goes both
// ways. When the package goes, its units go too, and so does the refresh that a
// save has enabled.
func TestMetricsTimerOnADebian(t *testing.T) {
	t.Parallel()
	path, program := deb(t, goarch), filepath.Join(t.TempDir(), "usr/sbin/connsync")
	run(t, "dpkg-deb", "--extract", path, filepath.Dir(filepath.Dir(filepath.Dir(program))))
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	machine, err := lab.Boot(ctx, lab.MachineOptions{Name: "fw-a"})
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	peer, err := lab.NewNode(ctx, "fw-b")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := lab.Veth(machine.Namespace, lab.SyncInterface, peer.Namespace, lab.SyncInterface); err != nil {
		t.Fatal(err)
	}
	if err := machine.CopyIn(path, "/root/connsync.deb"); err != nil {
		t.Fatal(err)
	}
	in := func(node *lab.Node, command string) string {
		t.Helper()
		out, err := node.Run(ctx, "sh", "-c", command)
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return out
	}
	in(machine.Node, "dpkg -i /root/connsync.deb")
	in(machine.Node, "ip address add 10.0.0.101/24 dev eth1 && ip link set eth1 up")
	in(peer, "ip address add 10.0.0.102/24 dev eth1 && ip link set eth1 up")
	const settings = " apply --enable --first-node --interface eth1 "
	in(machine.Node, "connsync"+settings+"--current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24")
	in(peer, program+settings+"--current-ip 10.0.0.102/24 --peer-ip 10.0.0.101/24")

	// The refresh that the save has started reports to the peer with what its unit allows,
	// and records the verdict.
	await := func(command, want string) {
		t.Helper()
		for {
			said := in(machine.Node, command)
			if strings.Contains(said, want) {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: no %q in %s", command, want, said)
			}
			time.Sleep(time.Second)
		}
	}
	await("journalctl -q -u connsync-refresh.service", "reports to the peer")
	await("connsync events", "  in sync both ways")
	if said := in(machine.Node, "journalctl -q -u connsync-refresh.service"); strings.Contains(said, "failed") {
		t.Errorf("the refresh says %s", said)
	}

	// Without the directory of node_exporter nothing is done, and nothing fails.
	in(machine.Node, "systemctl start connsync-metrics.service && systemctl is-system-running")
	in(machine.Node, "mkdir -p /var/lib/prometheus/node-exporter && chown nobody /var/lib/prometheus/node-exporter")
	in(machine.Node, "systemctl enable --now --quiet connsync-metrics.timer")
	const file = "/var/lib/prometheus/node-exporter/connsync.prom"
	var metrics string
	for !strings.Contains(metrics, `connsync_verdict{verdict="two-way"} 1`) {
		if ctx.Err() != nil {
			t.Fatalf("no metrics of a sync that works: %s\n%s", metrics, in(machine.Node, "journalctl -q -u connsync-metrics.service"))
		}
		time.Sleep(time.Second)
		content, _ := machine.ReadFile(file) // it may not exist yet
		metrics = string(content)
	}
	for _, want := range []string{"connsync_daemon_enabled 1\n", "connsync_socket_bound 1\n", `connsync_link_up{device="eth1"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%q is not in the metrics:\n%s", want, metrics)
		}
	}
	cmd := exec.CommandContext(ctx, "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(metrics)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	if got := in(machine.Node, "systemctl show -P Result connsync-metrics.service; stat -c %a "+file); got != "success\n644\n" {
		t.Errorf("the service's result and the file's mode: %q", got)
	}

	// The timer has recorded the verdict, and systemd's journal tells of the daemon.
	for _, want := range []string{"  in sync both ways", "  conntrackd started\n", "  save by root", "Changes of verdict are known since "} {
		if got := in(machine.Node, "connsync events"); !strings.Contains(got, want) {
			t.Errorf("%q is not in the events:\n%s", want, got)
		}
	}

	if got := in(machine.Node, "dpkg -i /root/connsync.deb >/dev/null; systemctl is-enabled connsync-refresh.service; systemctl is-active connsync-refresh.service"); got != "enabled\nactive\n" {
		t.Errorf("the refresh after the same package is installed again: %q, want it enabled and running", got)
	}
	in(machine.Node, "dpkg -P connsync")
	got := in(machine.Node, "systemctl is-active connsync-metrics.timer connsync-refresh.service; pidof connsync; systemctl is-active conntrackd; systemctl --failed --plain --no-legend; find /etc/systemd -name 'connsync-*'; true")
	if got != "inactive\ninactive\nactive\n" {
		t.Errorf("after the purge: %q, want the timer and the refresh gone and conntrackd running", got)
	}
}
