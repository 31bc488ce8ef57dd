package health

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/pairtest"
)

// looker looks at the connections of node a with the file that it runs with.
func (s *scenario) looker(t *testing.T) *coverage.Looker {
	content, err := os.ReadFile(s.a.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	file, _ := conntrackd.Parse("conntrackd.conf", content)
	return &coverage.Looker{Client: control.NewClient(filepath.Join(s.a.Dir, "ctl")), File: file,
		Role: func(context.Context) coverage.Role { return s.role }}
}

// forwarded puts connections of clients in 10.1.0.0/16 into a node's table, as many TCP
// as UDP.
func forwarded(n *pairtest.Node, count int) {
	n.T.Helper()
	var b strings.Builder
	for i := range count / 2 {
		ends := fmt.Sprintf("-s 10.1.0.2 -d 10.2.0.2 --sport %d -t 600", 2000+i)
		fmt.Fprintf(&b, "-I -p tcp %s --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED\n-I -p udp %s --dport 53 -u SEEN_REPLY\n", ends, ends)
	}
	path := filepath.Join(n.Dir, "entries")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		n.T.Fatal(err)
	}
	if out, err := n.Namespace.Command("conntrack", "-R", path).CombinedOutput(); err != nil {
		n.T.Fatalf("conntrack -R: %v: %s", err, out)
	}
}

// onlyEvents has a node's kernel report of new connections what is given alone.
func onlyEvents(n *pairtest.Node, events string) {
	n.T.Helper()
	nft(n, "output", "ct state new ct event set "+events)
}

// sysctl sets a value in a node's network.
func sysctl(n *pairtest.Node, setting string) {
	n.T.Helper()
	if out, err := n.Namespace.Command("sysctl", "-qw", setting).CombinedOutput(); err != nil {
		n.T.Fatalf("sysctl: %v: %s", err, out)
	}
}

// general adds lines to the General section of the tests' configuration.
func general(lines string) func(config string) string {
	return func(config string) string {
		return strings.TrimSuffix(strings.TrimSpace(config), "}") + lines + "\n}\n"
	}
}

// coverageScenarios are faults under which the heartbeat is perfect.
func coverageScenarios() []*scenario {
	traffic := func(a, _ *pairtest.Node) { forwarded(a, 100) }
	// What a filter keeps out is this node's where packets began it.
	begun := func(a, _ *pairtest.Node) {
		a.Begin(unix.IPPROTO_UDP, 4000, 50)
		a.Begin(unix.IPPROTO_TCP, 6000, 50)
	}
	atPeer := func(_, b *pairtest.Node) { forwarded(b, 100) }
	firstStates := func(a, _ *pairtest.Node) {
		onlyEvents(a, "new,destroy")
		a.Begin(unix.IPPROTO_TCP, 6000, 50)
	}
	establish := func(a, _ *pairtest.Node) { a.Begin(unix.IPPROTO_TCP, 6000, 50) }
	filtered := func(lines string) func(string) string {
		return general("  Filter From Userspace {\n" + lines + "\n  }")
	}
	overrun := func(a, _ *pairtest.Node) {
		pid := a.State().MainPID
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			a.T.Fatal(err)
		}
		forwarded(a, 4000) // more than 212992 bytes of events
		if err := unix.Kill(pid, unix.SIGCONT); err != nil {
			a.T.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond) // else the overrun is one that is going on
	}
	all := []*scenario{
		{name: "connections-none", want: VerdictTwoWay},
		{name: "connections-all", want: VerdictTwoWay, late: traffic},
		{name: "connections-all-with-external-cache", want: VerdictTwoWay, own: pairtest.ExternalCache, late: traffic},
		{name: "connections-before-the-daemon", want: VerdictTwoWay, early: traffic},
		{name: "filter-ignores-lan", want: VerdictPartial, cause: "100 of 100 connections would not survive a failover: line 27 of the file keeps out 100 connections (Address Ignore 10.1.0.0/16)",
			own: filtered("    Address Ignore {\n      IPv4_address 10.1.0.0/16\n    }"), late: begun},
		{name: "filter-ignores-all", want: VerdictPartial, cause: "(Address Ignore 0.0.0.0/0)",
			own: filtered("    Address Ignore {\n      IPv4_address 0.0.0.0/0\n    }"), late: begun},
		{name: "filter-accepts-other-address", want: VerdictPartial, cause: "line 26 of the file keeps out 100 connections (Address Accept)",
			own: filtered("    Address Accept {\n      IPv4_address 192.0.2.1\n    }"), late: begun},
		{name: "filter-accepts-no-protocol", want: VerdictPartial, cause: "(Protocol Accept)",
			own: filtered("    Protocol Accept {\n      SCTP\n    }"), late: begun},
		{name: "filter-accepts-tcp", want: VerdictPartial, cause: "50 of 100 connections would not survive a failover: line 26 of the file keeps out 50 connections (Protocol Accept)",
			own: filtered("    Protocol Accept {\n      TCP\n    }"), late: begun},
		{name: "events-off", want: VerdictPartial, cause: "conntrackd's cache lacks 100 connections: the kernel reports none (nf_conntrack_events is 0)",
			early: func(a, _ *pairtest.Node) { sysctl(a, "net.netfilter.nf_conntrack_events=0") }, late: traffic},
		{name: "poll-secs", want: VerdictPartial, cause: "(PollSecs in line 25)",
			own: general("  PollSecs 600"), late: traffic},
		{name: "hash-limit", want: VerdictPartial, cause: "60 of 100 connections would not survive a failover: conntrackd's cache lacks 60 connections: it is full (HashLimit 40 in line 17, 60 entries refused)",
			own: func(config string) string { return conntracktest.Swap(config, "HashLimit 65536", "HashLimit 40") }, late: traffic},
		{name: "overrun", want: VerdictPartial, cause: "the kernel's events overran it",
			own: general("  NetlinkOverrunResync off"), late: overrun},
		{name: "backup", want: VerdictTwoWay, role: coverage.RoleBackup, late: atPeer},
		{name: "nobody-knows-the-role", want: VerdictTwoWay, late: atPeer},
		{name: "nobody-knows-the-role-and-all-began-by-packets", want: VerdictTwoWay, late: func(a, b *pairtest.Node) {
			a.Begin(unix.IPPROTO_UDP, 4000, 50)
			b.Begin(unix.IPPROTO_UDP, 5000, 50)
			b.Begin(unix.IPPROTO_TCP, 6000, 50)
		}},
		{name: "nobody-knows-the-role-and-others-began-in-place-of-the-peers", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache lacks 50 connections: their events did not reach it",
			late: func(a, b *pairtest.Node) {
				forwarded(b, 100)
				tellOwn(b, 100)
				time.Sleep(500 * time.Millisecond)
				if out, err := a.Namespace.Command("conntrack", "-D", "-p", "udp", "-s", "10.1.0.2").CombinedOutput(); err != nil { // as those do that expire here
					a.T.Fatalf("conntrack: %v: %s", err, out)
				}
				onlyEvents(a, "destroy")
				a.Begin(unix.IPPROTO_UDP, 4000, 50)
			}},
		{name: "nobody-knows-the-role-and-events-are-off", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache lacks 50 connections: the kernel reports none",
			early: func(a, _ *pairtest.Node) { sysctl(a, "net.netfilter.nf_conntrack_events=0") },
			late: func(a, b *pairtest.Node) {
				forwarded(b, 100)
				tellOwn(b, 100)
				ended := make(chan struct{})
				b.T.Cleanup(func() { <-ended }) // before the namespace ends
				go func() {                     // a report is soon too old for a slow host
					defer close(ended)
					for {
						select {
						case <-b.T.Context().Done():
							return
						case <-time.After(5 * time.Second):
						}
						_ = b.Namespace.Do(func() error {
							box := mailbox.Box{Low: b.Settings.Current.Addr().Less(b.Settings.Peer.Addr())}
							return box.Leave(b.T.Context(), mailbox.Report{Direct: true, Kernel: 100})
						})
					}
				}()
				time.Sleep(500 * time.Millisecond)
				begunTCP(a, 50)
			}},
		{name: "peer-told-nothing-and-events-are-off", want: VerdictPartial, cause: "nothing shows whether 50 connections of these came from the peer",
			early: func(a, _ *pairtest.Node) { sysctl(a, "net.netfilter.nf_conntrack_events=0") }, late: atPeer},
		{name: "peer-removed-its-own-and-events-are-off", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache lacks 50 connections: the kernel reports none",
			late: func(a, b *pairtest.Node) { othersAfterThePeers(a, b, false) }},
		{name: "peer-told-that-it-has-none-and-events-are-off", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache lacks 50 connections: the kernel reports none",
			late: func(a, b *pairtest.Node) { othersAfterThePeers(a, b, true) }},
		{name: "first-states-alone", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache has 50 connections in an earlier state: events of later ones did not reach it", late: firstStates},
		{name: "first-states-alone-with-external-cache", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache has 50 connections in an earlier state: events of later ones did not reach it", own: pairtest.ExternalCache, late: firstStates},
		{name: "filter-accepts-established", want: VerdictTwoWay, own: filtered("    State Accept {\n      ESTABLISHED CLOSED TIME_WAIT CLOSE_WAIT for TCP\n    }"),
			late: establish},
		{name: "filter-ignores-what-follows-the-first-state", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: line 27 of the file keeps out 50 connections (State Ignore ESTABLISHED)",
			own:  filtered("    State Ignore {\n      SYN_RECV ESTABLISHED for TCP\n    }"),
			late: establish},
		{name: "filter-ignores-established", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: line 27 of the file keeps out 50 connections (State Ignore ESTABLISHED)",
			own: filtered("    State Ignore {\n      ESTABLISHED for TCP\n    }"), late: establish},
		{name: "filter-of-the-kernel-ignores-established", want: VerdictPartial, cause: "(State Ignore ESTABLISHED)",
			own: general("  Filter From Kernelspace {\n    State Ignore {\n      ESTABLISHED for TCP\n    }\n  }"), late: establish},
		{name: "filter-accepts-the-handshake", want: VerdictPartial, cause: "line 26 of the file keeps out 50 connections (State Accept without ESTABLISHED)",
			own: filtered("    State Accept {\n      SYN_SENT SYN_RECV for TCP\n    }"), late: establish},
		{name: "handshakes-alone", want: VerdictPartial, cause: "50 of 50 connections would not survive a failover: conntrackd's cache has 50 connections in an earlier state: events of later ones did not reach it",
			late: func(a, _ *pairtest.Node) {
				onlyEvents(a, "new,reply,destroy")
				a.Begin(unix.IPPROTO_TCP, 6000, 50)
			}},
		{name: "peer-loses-what-is-large", want: VerdictLosing, cause: "asked", unconfirmed: true, late: func(a, b *pairtest.Node) {
			nft(b, "input", "udp dport 3780 udp length > 60 drop")
			forwarded(a, 100)
		}},
		{name: "primary-has-not-taken-over", want: VerdictPartial, cause: "100 of 100 connections would not survive a failover: conntrackd's cache lacks 100 connections: the peer began them",
			role: coverage.RolePrimary, late: atPeer},
		{name: "primary-has-taken-over", want: VerdictTwoWay, role: coverage.RolePrimary, late: func(a, b *pairtest.Node) {
			forwarded(b, 100)
			time.Sleep(500 * time.Millisecond)
			if err := control.NewClient(filepath.Join(a.Dir, "ctl")).ResyncKernel(a.T.Context()); err != nil {
				a.T.Fatal(err)
			}
		}},
		{name: "zone-of-both-directions", want: VerdictTwoWay, late: func(a, b *pairtest.Node) { inZone(a, b, "-w", 1) }},
		{name: "zone-of-one-direction", want: VerdictPartial, cause: "20 of 20 connections would not survive a failover: conntrackd does not send the zone of one direction (zone-orig, zone-reply), which 20 connections have",
			late: func(a, b *pairtest.Node) { inZone(a, b, "--orig-zone", 0) }},
		{name: "external-cache-and-events-off", want: VerdictPartial, cause: "nf_conntrack_events is 0", own: pairtest.ExternalCache,
			early: func(a, _ *pairtest.Node) { sysctl(a, "net.netfilter.nf_conntrack_events=0") }, late: traffic},
	}
	for _, s := range all {
		s.connections = true
		if s.role == "" {
			s.role = coverage.RoleUnknown
		}
	}
	return all
}

// inZone puts 20 connections into a zone of node a, and waits until the peer has them, those with
// that zone or without it.
func inZone(a, b *pairtest.Node, option string, zoned int) {
	a.T.Helper()
	for i := range 20 {
		args := strings.Fields(fmt.Sprintf("-I -p udp -s 10.1.0.2 -d 10.2.0.2 --sport %d --dport 53 -t 600 -u SEEN_REPLY %s 7", 2000+i, option))
		if out, err := a.Namespace.Command("conntrack", args...).CombinedOutput(); err != nil {
			a.T.Fatalf("conntrack: %v: %s", err, out)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := b.Namespace.Command("conntrack", "-L", "-s", "10.1.0.2").Output()
		came, inIt := strings.Count(string(out), "src=10.1.0.2"), strings.Count(string(out), "zone=7")
		if err == nil && came == 20 {
			if inIt != 20*zoned {
				a.T.Fatalf("with %s the peer has %d of %d in the zone:\n%s", option, inIt, came, out)
			}
			return
		}
		if time.Now().After(deadline) {
			a.T.Fatalf("the peer has %d of 20 connections, %v:\n%s", came, err, out)
		}
	}
}

// A daemon keeps a filter that its file does not have any more, until it is restarted.
func TestDaemonOlderThanItsFileIsNamed(t *testing.T) {
	t.Parallel()
	a, _ := runPair(t, nil)
	keepToItself(a, "10.1.0.0/16")
	time.Sleep(2 * time.Second) // what is changed at once after a start is not told from what it read
	a.WriteConfig(conntracktest.Config(a.Settings, a.Dir))
	a.Begin(unix.IPPROTO_UDP, 4000, 50)
	want := says(VerdictPartial, "conntrackd's cache lacks 50 connections: conntrackd was started before its file was changed", "restart conntrackd")
	expect(t, "a", watch(a, nil).until(false, want), want)
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	expect(t, "a", watch(a, nil).until(false, says(VerdictTwoWay)), says(VerdictTwoWay))
}

// tellOwn has the peer tell node a how many connections are in its own cache.
func tellOwn(b *pairtest.Node, count uint32) {
	b.T.Helper()
	box := mailbox.Box{Low: b.Settings.Current.Addr().Less(b.Settings.Peer.Addr())}
	b.Do(func() error { return box.Leave(b.T.Context(), mailbox.Report{Direct: true, Kernel: count}) })
}

// othersAfterThePeers has the peer put 50 UDP connections into node a and remove them
// again, and 50 others begin on node a without an event.
func othersAfterThePeers(a, b *pairtest.Node, tell bool) {
	a.T.Helper()
	udp := func(n *pairtest.Node, first int) {
		for i := range 50 {
			args := strings.Fields(fmt.Sprintf("-I -p udp -s 10.1.0.2 -d 10.2.0.2 --sport %d --dport 53 -t 600 -u SEEN_REPLY", first+i))
			if out, err := n.Namespace.Command("conntrack", args...).CombinedOutput(); err != nil {
				n.T.Fatalf("conntrack: %v: %s", err, out)
			}
		}
	}
	await := func(what string, done func(control.CacheStats) bool) {
		a.T.Helper()
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			c, err := a.Client().Cache(a.T.Context())
			if err == nil && done(c) {
				return
			}
			if time.Now().After(deadline) {
				a.T.Fatalf("the peer's states were not %s: %+v, %v", what, c, err)
			}
		}
	}
	udp(b, 2000)
	await("created", func(c control.CacheStats) bool { return c.News >= 50 })
	if out, err := b.Namespace.Command("conntrack", "-D", "-p", "udp", "-s", "10.1.0.2").CombinedOutput(); err != nil {
		b.T.Fatalf("conntrack: %v: %s", err, out)
	}
	await("removed", func(c control.CacheStats) bool { return c.Removed >= 50 })
	if tell {
		tellOwn(b, 0)
	}
	sysctl(a, "net.netfilter.nf_conntrack_events=0")
	udp(a, 4000)
}

// begunTCP puts TCP connections of 10.1.0.3 into a node's table, without the flags of an
// entry that conntrack or conntrackd makes: as if they had begun there.
func begunTCP(n *pairtest.Node, count int) {
	n.T.Helper()
	client, server := net.IPv4(10, 1, 0, 3).To4(), net.IPv4(10, 2, 0, 2).To4()
	n.Do(func() error {
		for i := range count {
			port := uint16(3000 + i)
			err := netlink.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, &netlink.ConntrackFlow{
				FamilyType: unix.AF_INET, TimeOut: 600, ProtoInfo: &netlink.ProtoInfoTCP{State: nl.TCP_CONNTRACK_ESTABLISHED},
				Forward: netlink.IPTuple{SrcIP: client, DstIP: server, Protocol: unix.IPPROTO_TCP, SrcPort: port, DstPort: 80},
				Reverse: netlink.IPTuple{SrcIP: server, DstIP: client, Protocol: unix.IPPROTO_TCP, SrcPort: 80, DstPort: port},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// A perfect heartbeat is two-way only where the connections are in the cache.
func TestHealthCoverageScenarios(t *testing.T) { runScenarios(t, coverageScenarios()) }
