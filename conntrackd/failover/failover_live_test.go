package failover

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/step"
)

// failoverPair is a pair whose daemons run with the given mode block, and whose
// kernels track and report connections.
func failoverPair(t *testing.T, mode string) (a, b *pairtest.Node) {
	t.Helper()
	a, b = pairtest.New(t)
	for _, n := range []*pairtest.Node{a, b} {
		n.Do(func() error { return os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_events", []byte("1"), 0o644) })
		config := conntracktest.Swap(conntracktest.Config(n.Settings, n.Dir), "Mode FTFW {\n    DisableExternalCache on\n  }", mode,
			"HashSize 4096", "HashSize 16384", "HashLimit 65536", "HashLimit 65536\n  Filter From Userspace {\n Address Ignore {\n IPv4_address 10.77.0.1\n IPv4_address 10.77.0.2\n }\n }")
		if err := os.WriteFile(n.ConfigPath(), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		n.Do(func() error { return n.Service.Restart(t.Context()) })
	}
	if strings.Contains(mode, "ALARM") {
		return a, b // whose nodes are silent while nothing happens
	}
	for _, n := range []*pairtest.Node{a, b} {
		eventually(t, "the peer is heard", func() bool { return tablesOf(n).Link.PacketsRecv > 0 })
	}
	return a, b
}

func failoverOf(n *pairtest.Node) *Failover {
	content, err := os.ReadFile(n.ConfigPath())
	if err != nil {
		n.T.Fatal(err)
	}
	f, _ := conntrackd.Parse(n.ConfigPath(), content)
	return &Failover{Client: control.NewClient(f.ControlSocket()), Mode: f.Mode(), RuntimeDir: n.Dir, Patience: n.Patience, Await: time.Second}
}

// becomes runs a failover and returns its steps' ids and statuses.
func becomes(n *pairtest.Node, role Role) map[step.ID]step.Status {
	n.T.Helper()
	var outcome Outcome
	n.Do(func() error {
		outcome = failoverOf(n).Run(n.T.Context(), role, nil)
		return outcome.Err
	})
	got := map[step.ID]step.Status{}
	for _, s := range outcome.Steps {
		got[s.ID] = s.Status
		n.T.Logf("%s %-8s %-15s %-8s %6.1f ms  %s", n.Settings.Current.Addr(), role, s.ID, s.Status, s.Took.Seconds()*1000, s.Detail)
	}
	return got
}

func tablesOf(n *pairtest.Node) tables {
	n.T.Helper()
	var now tables
	n.Do(func() (err error) {
		r := run{f: failoverOf(n), asking: n.T.Context()}
		now, err = r.read()
		return err
	})
	return now
}

// track puts count established TCP connections into the node's kernel.
func track(n *pairtest.Node, network string, count int) {
	n.T.Helper()
	var script strings.Builder
	addr := netip.MustParseAddr(network)
	for range count {
		addr = addr.Next()
		fmt.Fprintf(&script, "conntrack -I -p tcp -s %s -d 192.0.2.1 --sport 40000 --dport 80 --state ESTABLISHED -u ASSURED -t 600 >/dev/null 2>&1 || exit 1\n", addr)
	}
	if out, err := n.Namespace.Command("sh", "-c", script.String()).CombinedOutput(); err != nil {
		n.T.Fatalf("conntrack -I: %v %s", err, out)
	}
}

func flushKernel(n *pairtest.Node) {
	n.T.Helper()
	if out, err := n.Namespace.Command("conntrack", "-F").CombinedOutput(); err != nil {
		n.T.Fatalf("conntrack -F: %v %s", err, out)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// The way there and back, in every mode and with both places for the peer's
// states: b takes over from a, connections are born there, a comes back empty
// and takes all of them over.
func TestFailoverOnAPair(t *testing.T) {
	all := map[Role]map[step.ID]step.Status{
		RolePrimary: {stepResyncKernel: step.Done, stepSendBulk: step.Done},
		RoleBackup:  {stepRequestResync: step.Done, stepLetGo: step.Done},
		RoleFault:   {},
	}
	cached := map[Role]map[step.ID]step.Status{
		RolePrimary: {stepCommit: step.Done, stepFlushCaches: step.Done, stepResyncKernel: step.Done, stepSendBulk: step.Done},
		RoleBackup:  {stepPurge: step.Done, stepRequestResync: step.Done},
		RoleFault:   {stepPurge: step.Done},
	}
	for _, tt := range []struct {
		name, mode string
		external   bool
		want       map[Role]map[step.ID]step.Status
	}{
		{"FTFW, states in the kernel", "Mode FTFW {\n DisableExternalCache on\n }", false, all},
		{"FTFW, external cache", "Mode FTFW {\n }", true, cached},
		{"NOTRACK, states in the kernel", "Mode NOTRACK {\n DisableExternalCache on\n }", false, all},
		{"NOTRACK, external cache", "Mode NOTRACK {\n }", true, cached},
		{"NOTRACK, no cache at all", "Mode NOTRACK {\n DisableInternalCache on\n DisableExternalCache on\n }", false, map[Role]map[step.ID]step.Status{
			RolePrimary: {stepSendBulk: step.Done}, RoleBackup: {stepRequestResync: step.Done}, RoleFault: {},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := failoverPair(t, tt.mode)
			has := func(n *pairtest.Node, count int) func() bool {
				return func() bool {
					if tt.external {
						return int(tablesOf(n).External) >= count
					}
					return tablesOf(n).kernel >= count
				}
			}
			track(a, "198.18.0.0", 50)
			eventually(t, "b has a's 50 connections", has(b, 50))
			check := func(n *pairtest.Node, role Role) {
				t.Helper()
				if diff := cmp.Diff(tt.want[role], becomes(n, role)); diff != "" {
					t.Errorf("%s: steps (-want +got):\n%s", role, diff)
				}
			}
			check(a, RoleFault)
			check(b, RolePrimary)
			if got := tablesOf(b); got.kernel < 50 || got.External != 0 {
				t.Errorf("b as primary has %d connections in the kernel, %d outside", got.kernel, got.External)
			}
			track(b, "198.18.1.0", 20)

			a.Do(func() error { return a.Service.Stop(t.Context()) })
			flushKernel(a)
			a.Do(func() error { return a.Service.Restart(t.Context()) })
			eventually(t, "a hears b again", func() bool { return tablesOf(a).Link.PacketsRecv > 0 })
			check(a, RoleBackup)
			eventually(t, "a has b's 70 connections", has(a, 70))
			check(a, RolePrimary)
			check(b, RoleBackup)
			if got := tablesOf(a).kernel; got < 70 {
				t.Errorf("a as primary has %d of 70 connections in the kernel", got)
			}
		})
	}
}

// What -t begins, -c ends; and it is what removes the peer's states where
// there is no external cache, which is why the hook leaves it out there.
func TestFailoverPurge(t *testing.T) {
	t.Run("a backup's old states go", func(t *testing.T) {
		a, _ := failoverPair(t, "Mode FTFW {\n PurgeTimeout 1\n }")
		track(a, "198.18.0.0", 10)
		becomes(a, RoleBackup)
		eventually(t, "the kernel's table is empty", func() bool { return tablesOf(a).kernel < 10 })
	})
	t.Run("not those of one that is primary again", func(t *testing.T) {
		a, _ := failoverPair(t, "Mode FTFW {\n PurgeTimeout 2\n }")
		a.Patience = 300 * time.Millisecond // the peer has nothing to send, which is waited for
		track(a, "198.18.0.0", 10)
		becomes(a, RoleBackup)
		becomes(a, RolePrimary)
		time.Sleep(2500 * time.Millisecond)
		if got := tablesOf(a).kernel; got < 10 {
			t.Errorf("the purge was not cancelled: %d of 10 connections are left", got)
		}
	})
	// What the check failover-timing warns of.
	t.Run("connections that ended meanwhile stay without it", func(t *testing.T) {
		a, b := failoverPair(t, "Mode FTFW {\n }")
		track(a, "198.18.0.0", 10)
		eventually(t, "b has a's connections", func() bool { return tablesOf(b).External >= 10 })
		becomes(a, RoleFault)
		becomes(b, RolePrimary)
		flushKernel(b)
		eventually(t, "b's connections have ended", func() bool { return tablesOf(b).Internal == 0 })
		becomes(a, RolePrimary)
		if got := tablesOf(a).kernel; got < 10 {
			t.Errorf("a has %d of 10 connections that ended on b; the warning would be wrong", got)
		}
	})
	t.Run("not the peer's in the kernel", func(t *testing.T) {
		a, b := failoverPair(t, "Mode FTFW {\n DisableExternalCache on\n PurgeTimeout 1\n }")
		track(a, "198.18.0.0", 10)
		eventually(t, "b has a's connections", func() bool { return tablesOf(b).kernel >= 10 })
		becomes(b, RoleBackup)
		time.Sleep(2500 * time.Millisecond)
		if got := tablesOf(b).kernel; got < 10 {
			t.Errorf("%d of the peer's 10 connections are left on the backup", got)
		}
		// The control: what the packaged script does in its place.
		if err := failoverOf(b).Client.ResetTimers(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "-t removes the peer's connections", func() bool { return tablesOf(b).kernel < 10 })
	})
}

// A whole failover with nobody at the other end is a success: that is what
// failovers are for.
func TestFailoverWhilePeerIsDown(t *testing.T) {
	for _, mode := range []string{"Mode FTFW {\n DisableExternalCache on\n }", "Mode FTFW {\n }"} {
		a, b := failoverPair(t, mode)
		track(a, "198.18.0.0", 10)
		eventually(t, "b has a's connections", func() bool { got := tablesOf(b); return got.External+uint64(got.kernel) >= 10 })
		a.Do(func() error { return a.Service.Stop(t.Context()) })
		b.Patience = 400 * time.Millisecond
		for id, status := range becomes(b, RolePrimary) {
			if status != step.Done {
				t.Errorf("%s: %s is %s", mode, id, status)
			}
		}
		if got := becomes(b, RoleBackup)[stepRequestResync]; got != step.Unknown {
			t.Errorf("%s: a request that nobody answers is %s", mode, got)
		}
	}
}

// conntrackd refuses to flush after a commit that was done at once. The hook
// must see that, since the daemon's answer is the same.
func TestFailoverSeesARefusedFlush(t *testing.T) {
	a, b := failoverPair(t, "Mode FTFW {\n }")
	content, err := os.ReadFile(b.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.ConfigPath(), []byte(conntracktest.Swap(string(content), "HashSize 16384", "HashSize 8192")), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Do(func() error { return b.Service.Restart(t.Context()) })
	b.Patience = 300 * time.Millisecond
	track(a, "198.18.0.0", 10)
	eventually(t, "b has a's connections", func() bool { return tablesOf(b).External >= 10 })
	want := map[step.ID]step.Status{stepCommit: step.Done, stepFlushCaches: step.Failed, stepResyncKernel: step.Done, stepSendBulk: step.Done}
	if diff := cmp.Diff(want, becomes(b, RolePrimary)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// A daemon that has just started forgets a request that was lost on the way, on
// a link that has just come up for example. The hook asks again.
func TestFailoverAsksAgain(t *testing.T) {
	a, b := failoverPair(t, "Mode FTFW {\n DisableExternalCache on\n }")
	track(b, "198.18.0.0", 10)
	eventually(t, "a has b's connections", func() bool { return tablesOf(a).kernel >= 10 })
	a.Do(func() error { return a.Service.Stop(t.Context()) })
	flushKernel(a)
	rules := func(commands string) {
		t.Helper()
		cmd := b.Namespace.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(commands)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("nft: %v %s", err, out)
		}
	}
	rules("table inet lab { chain in { type filter hook input priority 0; udp dport 3780 drop; }; }")
	a.Do(func() error { return a.Service.Restart(t.Context()) })
	mended := make(chan bool)
	go func() {
		defer close(mended)
		time.Sleep(700 * time.Millisecond)
		rules("delete table inet lab")
	}()
	got := becomes(a, RoleBackup)[stepRequestResync]
	<-mended
	if got != step.Done || tablesOf(a).kernel < 10 {
		t.Errorf("the request is %s, and a has %d of b's 10 connections", got, tablesOf(a).kernel)
	}
}
