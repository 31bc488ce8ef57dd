package failover

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"connsync/conntrackd/pairtest"
)

// trackUDP puts count answered UDP connections into the node's kernel.
func trackUDP(n *pairtest.Node, network string, count int) {
	n.T.Helper()
	var script strings.Builder
	addr := netip.MustParseAddr(network)
	for range count {
		addr = addr.Next()
		fmt.Fprintf(&script, "conntrack -I -p udp -s %s -d 192.0.2.1 --sport 40000 --dport 53 -u SEEN_REPLY,ASSURED -t 600 >/dev/null 2>&1 || exit 1\n", addr)
	}
	if out, err := n.Namespace.Command("sh", "-c", script.String()).CombinedOutput(); err != nil {
		n.T.Fatalf("conntrack -I: %v %s", err, out)
	}
}

// A node that has handed its connections over no longer speaks for them: that they go from
// its own table ends none on the node that carries them now. So it is after each way there
// and back, and where the hook is called more than once.
func TestBackupEndsNoConnectionOfThePrimary(t *testing.T) {
	type call struct {
		of   string
		role Role
	}
	calls := func(words string) (list []call) {
		for _, word := range strings.Fields(words) {
			list = append(list, call{word[:1], map[string]Role{"p": RolePrimary, "b": RoleBackup}[word[1:]]})
		}
		return list
	}
	kernel, notrack := "Mode FTFW {\n DisableExternalCache on\n }", "Mode NOTRACK {\n DisableExternalCache on\n }"
	for _, tt := range []struct {
		name, mode, calls, carries string
		kernelOnly                 int // of the connections, which the primary has and does not send until they change
	}{
		{"there and back", kernel, "ab bp bb ap", "a", 0},
		{"there", kernel, "bp ab", "b", 0},
		{"each call twice", kernel, "bp bp ab ab ap ap bb bb", "a", 0},
		{"both were primary", kernel, "ap bp bb", "a", 10},
		{"NOTRACK", notrack, "ap bp ab bb ap bb", "a", 0},
		{"external cache", "Mode FTFW {\n }", "bp ab bb ap", "a", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := failoverPair(t, tt.mode)
			nodes := map[string]*pairtest.Node{"a": a, "b": b}
			track(a, "198.18.0.0", 20)
			trackUDP(a, "198.18.1.0", 20)
			eventually(t, "b has a's 40 connections", func() bool { now := tablesOf(b); return now.External+uint64(now.kernel) >= 40 })
			want := 40 // connections
			for i, c := range calls(tt.calls) {
				becomes(nodes[c.of], c.role)
				if c.role == RolePrimary { // fresh ones beside the old
					track(nodes[c.of], fmt.Sprintf("198.18.%d.0", 2+2*i), 5)
					trackUDP(nodes[c.of], fmt.Sprintf("198.18.%d.0", 3+2*i), 5)
					want += 10
				}
			}
			carrier, other := a, b
			if tt.carries == "b" {
				carrier, other = b, a
			}
			eventually(t, "the primary has all connections", func() bool { return tablesOf(carrier).kernel >= want })
			eventually(t, "and the backup has", func() bool { now := tablesOf(other); return int(now.External)+now.kernel >= want })
			flushKernel(other)
			// What the daemon has to say of that has left it, and has arrived, before this does.
			track(other, "198.18.100.0", 1)
			eventually(t, "the primary hears of a connection of the backup", func() bool {
				out, _ := carrier.Namespace.Command("conntrack", "-L", "-s", "198.18.100.1").CombinedOutput()
				return strings.Contains(string(out), "198.18.100.1") || tablesOf(carrier).External > 0
			})
			if got := tablesOf(carrier).kernel; got < want {
				t.Errorf("the primary has %d of %d connections after the backup's table was emptied", got, want)
			}
			// The backup is no worse a backup for that: it asks, and takes over.
			becomes(other, RoleBackup)
			becomes(other, RolePrimary)
			if got := tablesOf(other).kernel; got < want-tt.kernelOnly {
				t.Errorf("the backup took over %d of %d connections", got, want)
			}
		})
	}
}

// A peer that took the connections over after this node had become a backup is told of by
// its report.
func TestBackupLetsGoLater(t *testing.T) {
	a, b := failoverPair(t, "Mode FTFW {\n DisableExternalCache on\n }")
	track(a, "198.18.0.0", 20)
	eventually(t, "b has a's connections", func() bool { return tablesOf(b).kernel >= 20 })
	letGo := func(speaksFor int) (states uint64) {
		a.Do(func() (err error) {
			states, err = failoverOf(a).LetGo(t.Context(), speaksFor, 0)
			return err
		})
		return states
	}
	becomes(a, RoleBackup)
	if states := letGo(0); states != 0 || tablesOf(a).Internal != 20 {
		t.Errorf("let go of %d states that the peer does not speak for; %d are left", states, tablesOf(a).Internal)
	}
	becomes(b, RolePrimary)
	if states := letGo(20); states != 20 || tablesOf(a).Internal != 0 || tablesOf(a).kernel < 20 {
		t.Errorf("let go of %d of 20 states; %d are left, and %d in the kernel", states, tablesOf(a).Internal, tablesOf(a).kernel)
	}
	// A daemon that is started reads its kernel's table, which the peer has filled.
	a.Do(func() error { return a.Service.Restart(t.Context()) })
	eventually(t, "the internal cache is filled again", func() bool { return tablesOf(a).Internal >= 20 })
	if states := letGo(20); states < 20 {
		t.Errorf("let go of %d of 20 states after a restart", states)
	}
	flushKernel(a)
	track(a, "198.18.100.0", 1)
	eventually(t, "b hears of a connection of a", func() bool { return tablesOf(b).kernel >= 21 || tablesOf(b).Removed > 0 })
	if got := tablesOf(b).kernel; got < 21 {
		t.Errorf("b has %d of 21 connections after a's table was emptied", got)
	}
	becomes(a, RolePrimary)
	if states := letGo(20); states != 0 {
		t.Errorf("a primary let go of %d states", states)
	}
}
