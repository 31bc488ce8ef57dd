package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
)

// A stock Debian does much against its own sync. After one save it recovers
// from a crash, keeps its daemon over logrotate, brings a restarted backup up
// to date and does all that after a reboot; unprepare leaves it as it was.
func TestDebianIsPreparedAndPutBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	found := p.listing()

	var dry reviewed
	p.json(&dry, append(p.apply(), "--dry-run", "--json")...)
	var missing []string
	for _, i := range dry.Host {
		missing = append(missing, string(i.ID)+" "+string(i.State))
	}
	want := []string{"unit-recovery missing", "startup-resync missing", "events-mode missing", "logrotate missing", "entry-lifetime missing"}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("items of a stock Debian (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(found, p.listing()); diff != "" {
		t.Errorf("a dry run changed the host (-before +after):\n%s", diff)
	}

	p.run(p.apply()...)
	p.works(t, "after the save")
	saveOfWhatIsInForce(t, ctx, p.machine, append([]string{"/usr/sbin/connsync"}, p.apply()...))
	if diff := cmp.Diff([]string(nil), p.failedHostChecks()); diff != "" {
		t.Errorf("failed checks of the prepared host (-want +got):\n%s", diff)
	}

	// The network outlives the reboot, and its settings with it.
	p.sysctl("net.netfilter.nf_conntrack_events=2")
	if err := p.machine.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if got := p.shell("cat /proc/sys/net/netfilter/nf_conntrack_events"); got != "1" {
		t.Errorf("after the reboot nf_conntrack_events is %s", got)
	}
	p.works(t, "after the reboot")
	if diff := cmp.Diff([]string(nil), p.failedHostChecks()); diff != "" {
		t.Errorf("failed checks after the reboot (-want +got):\n%s", diff)
	}

	p.run("unprepare", "--dry-run")
	p.run("unprepare")
	if diff := cmp.Diff(found, p.listing()); diff != "" {
		t.Errorf("unprepare left the host otherwise than found (-found +left):\n%s", diff)
	}
	if got := p.run("unprepare"); !strings.Contains(got, "nothing to undo") {
		t.Errorf("a second unprepare says:\n%s", got)
	}
}

// What somebody else changed after us is left alone and said; what is taken
// away is made again.
func TestDebianChangesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	p.run(p.apply()...)
	const dropIn = "/etc/systemd/system/conntrackd.service.d/connsync.conf"
	p.shell("echo '# mine' >> " + dropIn + " && sysctl -qw net.netfilter.nf_conntrack_events=0")
	text := p.shell("cat " + dropIn)

	p.shell("rm /etc/sysctl.d/90-connsync.conf && sysctl -qw net.netfilter.nf_conntrack_events=1 && systemctl daemon-reload")
	p.run(append(p.apply(), "--accept-unknown")...)
	if got := p.shell("cat " + dropIn); got != text {
		t.Errorf("the operator's drop-in became\n%s", got)
	}
	p.shell("test -f /etc/sysctl.d/90-connsync.conf")

	out, err := p.machine.Run(ctx, "/usr/sbin/connsync", "unprepare")
	if err == nil {
		t.Errorf("unprepare succeeded although a file was left alone:\n%s", out)
	}
	if !strings.Contains(out, dropIn+": left alone: it was changed by somebody else") {
		t.Errorf("unprepare says:\n%s", out)
	}
	if got := p.shell("cat " + dropIn); got != text {
		t.Errorf("unprepare changed the operator's drop-in to\n%s", got)
	}
	p.shell("! test -e /etc/sysctl.d/90-connsync.conf && ! test -e /etc/logrotate.d/conntrackd.disabled")
}

// A save that fails takes the preparation back with it.
func TestDebianFailedSaveTakesThePreparationBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	// Only the save itself starts the daemon in the place where it fails.
	p.shell("mkdir -p /etc/systemd/system/conntrackd.service.d && printf '[Service]\\nExecStartPre=/bin/sh -c \"! grep -q 10.0.0.101 /etc/conntrackd/conntrackd.conf\"\\n' > /etc/systemd/system/conntrackd.service.d/a.conf && systemctl daemon-reload")
	found := p.listing()
	out, err := p.machine.Run(ctx, "/usr/sbin/connsync", p.apply()...)
	if err == nil {
		t.Fatalf("the save succeeded:\n%s", out)
	}
	if !strings.Contains(out, "Roll back the host") {
		t.Errorf("the save says:\n%s", out)
	}
	if diff := cmp.Diff(found, p.listing()); diff != "" {
		t.Errorf("a failed save left the host otherwise than found (-found +left):\n%s\n%s", diff, out)
	}
}

func TestDebianHostIsLeftAloneWhenAsked(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	p := newPreparedPair(t, ctx)
	found := p.listing()
	p.run(append(p.apply(), "--prepare-host=false")...)
	if diff := cmp.Diff(found, p.listing()); diff != "" {
		t.Errorf("the host was changed (-before +after):\n%s", diff)
	}
	p.run(append(p.apply(), "--prepare-host=false")...)
	// The file is in force: all that is left to do is the host's preparation,
	// which needs no restart.
	pid := p.pid()
	p.run(p.apply()...)
	if now := p.pid(); now != pid {
		t.Errorf("the preparation alone restarted the daemon: process %d became %d", pid, now)
	}
	if diff := cmp.Diff([]string(nil), p.failedHostChecks()); diff != "" {
		t.Errorf("failed checks of the prepared host (-want +got):\n%s", diff)
	}
}

// preparedPair is a booted Debian and a node beside it that syncs already.
type preparedPair struct {
	t       *testing.T
	ctx     context.Context
	machine *lab.Machine
	peer    *lab.Node
	program string
}

func newPreparedPair(t *testing.T, ctx context.Context) *preparedPair {
	t.Helper()
	program := build(t)
	machine, peer := machineAndPeer(t, ctx)
	if err := machine.CopyIn(program, "/usr/sbin/connsync"); err != nil {
		t.Fatal(err)
	}
	if out, err := peer.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", "10.0.0.102/24", "--peer-ip", "10.0.0.101/24"); err != nil {
		t.Fatalf("apply on the peer: %v\n%s", err, out)
	}
	// A connection of the tests is in no kernel's table but by their hand.
	p := &preparedPair{t: t, ctx: ctx, machine: machine, peer: peer, program: program}
	p.sysctl("net.netfilter.nf_conntrack_events=2")
	// A machine of today brings its interface up by itself; this one's is kept
	// with its network over a reboot.
	return p
}

func (p *preparedPair) apply() []string {
	return []string{"apply", "--enable", "--interface", lab.SyncInterface, "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24"}
}

func (p *preparedPair) run(args ...string) string {
	p.t.Helper()
	out, err := p.machine.Run(p.ctx, "/usr/sbin/connsync", args...)
	if err != nil {
		p.t.Fatalf("connsync %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (p *preparedPair) json(into any, args ...string) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.run(args...)), into); err != nil {
		p.t.Fatal(err)
	}
}

func (p *preparedPair) shell(script string) string {
	p.t.Helper()
	return shellOn(p.t, p.ctx, p.machine.Node, script)
}

func shellOn(t *testing.T, ctx context.Context, n *lab.Node, script string) string {
	t.Helper()
	out, err := n.Run(ctx, "sh", "-c", script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(out)
}

func (p *preparedPair) sysctl(assignment string) { p.t.Helper(); p.shell("sysctl -qw " + assignment) }

func (p *preparedPair) pid() int {
	p.t.Helper()
	n, err := strconv.Atoi(unit(p.t, p.ctx, p.machine)["MainPID"])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// listing is all of /etc but what apply writes there on purpose, the
// diversions of dpkg, the settings of netfilter and the unit as systemd sees it.
func (p *preparedPair) listing() string {
	p.t.Helper()
	return p.shell(`
find /etc -path /etc/conntrackd/conntrackd.conf -prune -o \( -type f -o -type l -o -type d \) -printf '%p %y %#m %U:%G %l ' \
	\( -type f -exec sha256sum {} \; -o -printf '\n' \) | sed 's,  /.*,,' | sort
sha256sum /var/lib/dpkg/diversions
sysctl net.netfilter.nf_conntrack_events net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_tcp_be_liberal
systemctl show -p DropInPaths,Restart,RestartUSec,StartLimitBurst,UnitFileState,NeedDaemonReload conntrackd.service`)
}

func (p *preparedPair) failedHostChecks() []string {
	p.t.Helper()
	var report struct {
		Checks []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
			Detail string `json:"detail"`
		} `json:"checks"`
	}
	p.json(&report, "check", "--json")
	if len(report.Checks) == 0 {
		p.t.Fatal("check --json lists no result")
	}
	var failed []string
	for _, r := range report.Checks {
		switch r.ID {
		case "unit-recovery", "startup-resync", "events-mode", "logrotate", "protocols-file", "hash-limit", "entry-lifetime", "expectations", "second-daemon", "coverage":
			if r.Status != "passed" {
				failed = append(failed, fmt.Sprintf("%s %s: %s", r.ID, r.Status, r.Detail))
			}
		}
	}
	return failed
}

// works asserts what the preparation is for.
func (p *preparedPair) works(t *testing.T, when string) {
	t.Helper()
	p.recovers(t, when)
	p.survivesLogrotate(t, when)
	p.backupIsFilled(t, when)
	p.activeFillsBackup(t, when)
}

// recovers kills the daemon and waits for one that answers. That takes a second
// at most, or, on a host that is busy, what the unit waits and twice a start
// there. It is the best of three that counts: what else this machine does is no
// part of the recovery.
func (p *preparedPair) recovers(t *testing.T, when string) {
	t.Helper()
	const waits = 200 * time.Millisecond // RestartSec
	var all []string
	for len(all) < 3 {
		took := p.recovery(t, when)
		t.Logf("%s: killed, and answering again after %v", when, took.Round(time.Millisecond))
		if took <= time.Second {
			return
		}
		start := p.answered("systemctl stop conntrackd", "systemctl start conntrackd")
		if took <= waits+2*start {
			return
		}
		all = append(all, fmt.Sprintf("%v, a start %v", took, start))
	}
	t.Errorf("%s: it took %q to recover from a kill, want a second at most", when, all)
}

func (p *preparedPair) recovery(t *testing.T, when string) time.Duration {
	t.Helper()
	old := p.pid()
	// The socket of the dying daemon may answer once more.
	took := p.answered("true", fmt.Sprintf("kill -9 %[1]d; while kill -0 %[1]d 2>/dev/null; do sleep 0.01; done", old))
	if now := p.pid(); now == old || now == 0 {
		t.Fatalf("%s: no daemon after the kill: %s", when, p.shell("systemctl status conntrackd.service; true"))
	}
	return took
}

// answered is how long it takes from the beginning of a command until the
// machine's daemon answers, in one shell, so that nothing else takes its time.
func (p *preparedPair) answered(before, command string) time.Duration {
	p.t.Helper()
	p.shell(before)
	began := time.Now()
	p.shell(fmt.Sprintf("timeout 20 sh -c '%s; until conntrackd -s; do sleep 0.01; done >/dev/null 2>&1'", command))
	return time.Since(began)
}

// survivesLogrotate forces all rules twice, with a log for them to rotate.
func (p *preparedPair) survivesLogrotate(t *testing.T, when string) {
	t.Helper()
	p.flows(p.machine.Node, 20)
	p.awaitFlows(p.peer, 20, 2*time.Second, when+", before logrotate")
	pid := p.pid()
	for range 2 {
		p.shell("echo line >> /var/log/conntrackd-stats.log; logrotate --force /etc/logrotate.conf")
	}
	if now := p.pid(); now != pid {
		t.Errorf("%s: logrotate restarted the daemon: process %d became %d", when, pid, now)
	}
	if now := p.cached(); now != "20" {
		t.Errorf("%s: %s of 20 flows are in the cache after logrotate", when, now)
	}
	p.noFlows(p.machine.Node)
	p.shell("rm -f /var/log/conntrackd-stats.log*")
}

// backupIsFilled: this node is the backup, and restarts with an empty table
// while the peer has the flows.
func (p *preparedPair) backupIsFilled(t *testing.T, when string) {
	t.Helper()
	p.flows(p.peer, 50)
	p.awaitFlows(p.machine.Node, 50, 2*time.Second, when+", before the restart of the backup")
	p.shell("systemctl stop conntrackd && conntrack -F >/dev/null 2>&1; systemctl start conntrackd")
	p.awaitFlows(p.machine.Node, 50, 2*time.Second, when+", restarted backup")
	p.noFlows(p.peer)
}

// activeFillsBackup: this node is the active one, the peer was started before
// it, and nobody answers when the peer asks.
func (p *preparedPair) activeFillsBackup(t *testing.T, when string) {
	t.Helper()
	p.flows(p.machine.Node, 50)
	p.awaitFlows(p.peer, 50, 2*time.Second, when+", before both restarts")
	p.shell("systemctl stop conntrackd")
	shellOn(t, p.ctx, p.peer, "conntrackd -k; while pgrep -x conntrackd; do sleep 0.02; done >/dev/null; conntrack -F >/dev/null 2>&1; conntrackd -d")
	p.shell("systemctl start conntrackd")
	p.awaitFlows(p.peer, 50, 2*time.Second, when+", backup started before the active node")
	p.noFlows(p.machine.Node)
}

// flows puts connections into the table of a node.
func (p *preparedPair) flows(n *lab.Node, count int) {
	p.t.Helper()
	shellOn(p.t, p.ctx, n, fmt.Sprintf("i=0; while [ $i -lt %d ]; do conntrack -I -p tcp -s 192.0.2.1 -d 198.51.100.1 --sport $((20000+i)) --dport 80 --state ESTABLISHED -u ASSURED -t 600 >/dev/null 2>&1 || exit 1; i=$((i+1)); done", count))
}

// noFlows ends them, here and by way of the sync on the other node.
func (p *preparedPair) noFlows(n *lab.Node) {
	p.t.Helper()
	shellOn(p.t, p.ctx, n, "conntrack -D -s 192.0.2.1 >/dev/null 2>&1; true")
	p.awaitFlows(p.machine.Node, 0, patience, "after their end")
	p.awaitFlows(p.peer, 0, patience, "after their end")
}

func (p *preparedPair) awaitFlows(n *lab.Node, want int, limit time.Duration, when string) {
	p.t.Helper()
	began := time.Now()
	for {
		got := shellOn(p.t, p.ctx, n, "conntrack -L -s 192.0.2.1 2>/dev/null | wc -l")
		took := time.Since(began)
		if got == strconv.Itoa(want) {
			if want > 0 {
				p.t.Logf("%s: %d flows are there after %v", when, want, took.Round(time.Millisecond))
			}
			return
		}
		if took > limit {
			p.t.Fatalf("%s: %s of %d flows are there after %v", when, got, want, took)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// cached is how many of the flows the machine's daemon holds of its own.
func (p *preparedPair) cached() string {
	p.t.Helper()
	return p.shell("conntrackd -i | grep -c src=192.0.2.1")
}
