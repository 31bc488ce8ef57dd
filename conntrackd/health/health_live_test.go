package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
)

// record is the evidence of a scenario as it is kept in testdata/scenarios.
type record struct {
	Want      Verdict
	Mode      string
	Now       time.Time
	Service   service.State
	Sockets   Sockets
	Drops     uint64
	Wire      wire
	Absent    bool
	Vanished  bool `json:",omitempty"`
	Misplaced bool
	Hardware  string               `json:",omitempty"` // of Peer IP
	Own       []netip.Addr         `json:",omitempty"` // this node's addresses
	Settings  *conntrackd.Settings `json:",omitempty"` // nil for those of the tests
	Readings  []control.Counters
	Coverage  *coverage.Coverage `json:",omitempty"`
}

func newRecord(e evidence, want Verdict) record {
	return record{
		Want: want, Mode: e.mode, Now: e.now, Service: e.service, Sockets: e.sockets, Drops: e.drops, Readings: e.readings,
		Wire: e.wire, Absent: e.peerUnresolved, Vanished: e.interfaceGone, Misplaced: e.addressGone,
		Hardware: e.peerHardware, Own: e.ownAddresses, Settings: &e.settings,
		Coverage: e.coverage,
	}
}

func (r record) evidence() evidence {
	settings := conntracktest.Settings()
	if r.Settings != nil {
		settings = *r.Settings
	}
	return evidence{
		now: r.Now, service: r.Service, sockets: r.Sockets, drops: r.Drops, readings: r.Readings, mode: r.Mode,
		settings: settings, wire: r.Wire, peerUnresolved: r.Absent, interfaceGone: r.Vanished, addressGone: r.Misplaced,
		peerHardware: r.Hardware, ownAddresses: r.Own,
		coverage: r.Coverage,
	}
}

// nft gives a node's firewall one rule in a chain at a hook.
func nft(n *pairtest.Node, hook, rule string) {
	n.T.Helper()
	for _, args := range [][]string{
		{"add", "table", "inet", "t"},
		{"add", "chain", "inet", "t", hook, "{ type filter hook " + hook + " priority 0; }"},
		append([]string{"add", "rule", "inet", "t", hook}, strings.Fields(rule)...),
	} {
		if out, err := n.Namespace.Command("nft", args...).CombinedOutput(); err != nil {
			n.T.Fatalf("nft %q: %v: %s", args, err, out)
		}
	}
}

// asNotrack turns the tests' configuration into one of mode NOTRACK.
func asNotrack(config string) string {
	return conntracktest.Swap(config, "Mode FTFW {\n    DisableExternalCache on", "Mode NOTRACK {")
}

func asAlarm(config string) string {
	return conntracktest.Swap(config, "Mode FTFW {\n    DisableExternalCache on", "Mode ALARM {")
}

// asMulticast gives the tests' configuration a link of the other transport.
func asMulticast(config string) string {
	return conntracktest.Swap(config, "  UDP {", "  Multicast {", "IPv4_address 10.77.0.2", "IPv4_address 225.0.0.50",
		"IPv4_Destination_Address 10.77.0.1", "IPv4_interface 10.77.0.2", "Port 3780", "Group 3780")
}

// ip runs ip(8) on a node.
func ip(n *pairtest.Node, arguments string) {
	n.T.Helper()
	if out, err := n.Namespace.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
		n.T.Fatalf("ip %s: %v: %s", arguments, err, out)
	}
}

// scenario is a fault of a pair, and what node a has to say of it.
type scenario struct {
	name  string
	want  Verdict
	cause string // part of it
	mode  string // of node a, where it is not FTFW
	deaf  bool   // nothing listens on the link for node a
	alone bool   // node b's daemon does not run
	// own and peer change the configuration of a node before its start.
	own, peer func(config string) string
	// early is called before the daemons start, late when they have met.
	early, late func(a, b *pairtest.Node)

	// connections: the connections of node a are looked at, too.
	connections bool
	// unconfirmed: some of them are not acknowledged, no more than wait in the resend queue.
	unconfirmed bool
	role        coverage.Role // of node a

	a, b     *pairtest.Node
	observer *Observer
	last     evidence
}

func onLink(n *pairtest.Node, do func(netlink.Link) error) {
	n.T.Helper()
	n.Do(func() error {
		link, err := netlink.LinkByName("sync0")
		if err != nil {
			return err
		}
		return do(link)
	})
}

func scenarios() []*scenario {
	dropInput := func(n *pairtest.Node) { nft(n, "input", "udp dport 3780 drop") }
	dropOutput := func(n *pairtest.Node) { nft(n, "output", "udp dport 3780 drop") }
	// A kernel believes in a neighbour for half a minute.
	forgetful := func(a, _ *pairtest.Node) {
		for _, setting := range []string{"base_reachable_time_ms=300", "delay_first_probe_time=1", "retrans_time_ms=200"} {
			if out, err := a.Namespace.Command("sysctl", "-w", "net.ipv4.neigh.sync0."+setting).CombinedOutput(); err != nil {
				a.T.Fatalf("sysctl: %v: %s", err, out)
			}
		}
	}
	peerDropsInput := func(_, b *pairtest.Node) { dropInput(b) }
	return []*scenario{
		{name: "both-up", want: VerdictTwoWay},
		{name: "both-up-without-listener", want: VerdictTwoWay, deaf: true},
		{name: "peer-disabled", want: VerdictSilent, cause: "refuses UDP port 3780: sync is not enabled there", alone: true},
		{name: "peer-disabled-behind-its-firewall", want: VerdictSilent, cause: "since conntrackd started", alone: true, early: peerDropsInput},
		{name: "peer-daemon-ended", want: VerdictSilent, cause: "refuses UDP port 3780", late: func(_, b *pairtest.Node) {
			b.Do(func() error { return b.Service.Stop(b.T.Context()) })
		}},
		{name: "peer-restarted", want: VerdictTwoWay, late: func(_, b *pairtest.Node) {
			if err := b.Restart(); err != nil {
				b.T.Fatal(err)
			}
		}},
		{name: "own-restarted", want: VerdictTwoWay, late: func(a, _ *pairtest.Node) {
			if err := a.Restart(); err != nil {
				a.T.Fatal(err)
			}
		}},
		{name: "peer-stopped", want: VerdictSilent, cause: "has stopped sending", late: func(_, b *pairtest.Node) {
			pid := b.State().MainPID
			if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
				b.T.Fatal(err)
			}
			b.T.Cleanup(func() { _ = unix.Kill(pid, unix.SIGCONT) })
		}},
		{name: "peer-port-differs", want: VerdictMismatch, cause: "sends to UDP port 3790, and this node listens on 3780",
			peer: func(config string) string { return conntracktest.Swap(config, "Port 3780", "Port 3790") }},
		{name: "peer-multicast", want: VerdictMismatch, peer: asMulticast,
			cause: "10.77.0.2 sends sync messages of mode FTFW to the multicast group 225.0.0.50, UDP port 3780, on sync0: its file has a Multicast link"},
		{name: "peer-sends-to-another-address", want: VerdictMismatch, cause: "10.77.0.2 sends to 10.77.0.11, UDP port 3780, on sync0, and this node listens on 10.77.0.1, UDP port 3780",
			early: func(a, b *pairtest.Node) {
				a.AddAddress(netip.MustParsePrefix("10.77.0.11/24"))
				b.Settings.Peer = netip.MustParsePrefix("10.77.0.11/24")
			}},
		{name: "peer-second-source", want: VerdictMismatch, cause: "the peer's messages come from 10.77.0.12 on sync0 and not from Peer IP 10.77.0.2; both addresses are of the host with hardware address ",
			early: func(_, b *pairtest.Node) {
				b.AddAddress(netip.MustParsePrefix("10.77.0.12/24"))
				ip(b, "route replace 10.77.0.0/24 dev sync0 src 10.77.0.12")
			}},
		{name: "peer-source-translated", want: VerdictMismatch, cause: "the peer's messages come from 10.77.0.13 on sync0 and not from Peer IP 10.77.0.2; both addresses",
			early: func(_, b *pairtest.Node) {
				for _, rule := range []string{"add table ip n", "add chain ip n p { type nat hook postrouting priority 100; }", "add rule ip n p udp dport 3780 snat to 10.77.0.13"} {
					if out, err := b.Namespace.Command("nft", rule).CombinedOutput(); err != nil {
						b.T.Fatalf("%v: %s", err, out)
					}
				}
			}},
		{name: "wrong-peer-ip-here", want: VerdictMismatch, cause: "come from 10.77.0.2 (hardware address ", early: func(a, _ *pairtest.Node) {
			a.Settings.Peer = netip.MustParsePrefix("10.77.0.99/24")
		}},
		{name: "peer-input-dropped", want: VerdictReceivingOnly, cause: "does not receive this node's messages", late: peerDropsInput},
		{name: "peer-input-dropped-without-listener", want: VerdictReceivingOnly, deaf: true, late: peerDropsInput},
		{name: "peer-input-dropped-from-the-start", want: VerdictReceivingOnly, cause: "does not receive this node's messages", early: peerDropsInput},
		{name: "own-output-dropped", want: VerdictReceivingOnly, cause: "cannot be sent from this node",
			late: func(a, _ *pairtest.Node) { dropOutput(a) }},
		{name: "own-egress-dropped", want: VerdictReceivingOnly, cause: "not seen to leave this node", late: func(a, _ *pairtest.Node) {
			for _, command := range []string{"add table netdev t", "add chain netdev t c { type filter hook egress device sync0 priority 0; }", "add rule netdev t c udp dport 3780 drop"} {
				if out, err := a.Namespace.Command("nft", command).CombinedOutput(); err != nil {
					a.T.Fatalf("nft %s: %v: %s", command, err, out)
				}
			}
		}},
		{name: "own-input-dropped", want: VerdictSendingOnly, cause: "do not reach conntrackd",
			late: func(a, _ *pairtest.Node) { dropInput(a) }},
		{name: "peer-output-dropped", want: VerdictSilent, cause: "has stopped sending",
			late: func(_, b *pairtest.Node) { dropOutput(b) }},
		{name: "peer-input-rejected", want: VerdictReceivingOnly, cause: "refuses UDP port 3780 by ICMP",
			late: func(_, b *pairtest.Node) { nft(b, "input", "udp dport 3780 reject") }},
		{name: "peer-address-removed", want: VerdictSilent, cause: "no host answers for 10.77.0.2", early: forgetful, late: func(_, b *pairtest.Node) {
			onLink(b, func(link netlink.Link) error {
				addr, err := netlink.ParseAddr(b.Settings.Current.String())
				if err != nil {
					return err
				}
				return netlink.AddrDel(link, addr)
			})
		}},
		{name: "own-address-removed", want: VerdictSilent, cause: "10.77.0.1 is not on sync0 any more", late: func(a, _ *pairtest.Node) {
			onLink(a, func(link netlink.Link) error {
				addr, err := netlink.ParseAddr(a.Settings.Current.String())
				if err != nil {
					return err
				}
				return netlink.AddrDel(link, addr)
			})
		}},
		{name: "own-address-replaced", want: VerdictSendingOnly, cause: "10.77.0.1 is not on sync0 any more", late: func(a, b *pairtest.Node) {
			onLink(a, func(link netlink.Link) error { // which b's kernel would forget after a while
				ip(b, fmt.Sprintf("neigh replace 10.77.0.1 lladdr %v nud permanent dev sync0", link.Attrs().HardwareAddr))
				return nil
			})
			ip(a, "address del 10.77.0.1/24 dev sync0")
			a.AddAddress(netip.MustParsePrefix("10.77.0.11/24"))
		}},
		{name: "link-down", want: VerdictSilent, cause: "sync0 is NO-CARRIER",
			late: func(_, b *pairtest.Node) { onLink(b, netlink.LinkSetDown) }},
		{name: "peer-notrack", want: VerdictMismatch, cause: "another Mode than FTFW", peer: asNotrack},
		{name: "peer-alarm", want: VerdictSilent, peer: asAlarm}, // idle, it says nothing
		{name: "own-notrack", want: VerdictMismatch, mode: "NOTRACK", own: asNotrack},
		{name: "both-notrack", want: VerdictUnknown, cause: "does not acknowledge", mode: "NOTRACK", own: asNotrack, peer: asNotrack},
		{name: "peer-loses", want: VerdictLosing, cause: "asked",
			late: func(_, b *pairtest.Node) { nft(b, "prerouting", "udp dport 3780 numgen inc mod 3 == 0 drop") }},
		{name: "loss", want: VerdictLosing, cause: "lost on the way",
			late: func(a, _ *pairtest.Node) { nft(a, "prerouting", "udp dport 3780 numgen inc mod 3 == 0 drop") }},
	}
}

// start brings the pair up, with what is wrong from the start.
func (s *scenario) start(t *testing.T) {
	s.a, s.b = pairtest.New(t)
	if s.early != nil {
		s.early(s.a, s.b)
	}
	for _, n := range []*pairtest.Node{s.a, s.b} {
		config, edit := conntracktest.Config(n.Settings, n.Dir), s.own
		if n == s.b {
			if s.alone {
				continue
			}
			edit = s.peer
		}
		if edit != nil {
			config = edit(config)
		}
		n.WriteConfig(config)
		if err := n.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	s.observer = &Observer{Service: s.a.Service, Client: control.NewClient(filepath.Join(s.a.Dir, "ctl")), Settings: s.a.Settings, Mode: s.mode}
	if s.connections {
		s.observer.Coverage = s.looker(t)
	}
	if !s.deaf {
		s.observer.Listen = pairtest.Listen[Overheard]
	}
}

func (s *scenario) look(t *testing.T) {
	s.a.Do(func() error {
		s.last = s.observer.gather(t.Context())
		return nil
	})
}

func (s *scenario) right() bool {
	got := s.last.health()
	return got.Verdict == s.want && strings.Contains(got.Cause, s.cause)
}

// judge compares the verdict with what it has to be. With CONNSYNC_UPDATE=1
// it keeps the evidence for TestJudgeCaptured.
func (s *scenario) judge(t *testing.T) {
	got := s.last.health()
	if !s.right() {
		t.Errorf("verdict %s: %q (%s); want %s: ...%s...\nwire %+v\nlast %+v", got.Verdict, got.Cause, got.Next, s.want, s.cause, s.last.wire, got.Counters)
	}
	if c := s.last.coverage; s.unconfirmed && (c == nil || c.Unacknowledged == 0 || uint64(c.Unacknowledged) > got.ResendQueue) {
		t.Errorf("of the connections %+v are not acknowledged, %d messages in the resend queue", c, got.ResendQueue)
	}
	if (got.Next == "") != (got.Verdict == VerdictTwoWay) {
		t.Errorf("verdict %s has next step %q", got.Verdict, got.Next)
	}
	if os.Getenv("CONNSYNC_UPDATE") == "" || t.Failed() {
		return
	}
	if s.last.coverage != nil {
		s.last.coverage.Sample = nil // of entries that nobody judges
	}
	content, err := json.MarshalIndent(newRecord(s.last, s.want), "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", "scenarios", s.name+".json"), append(content, '\n'), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestHealthScenarios brings all faults about at once, each on a pair of its
// own, and watches for longer than any window of the judge, so that what was
// seen before the fault has faded.
func TestHealthScenarios(t *testing.T) { runScenarios(t, scenarios()) }

func runScenarios(t *testing.T, all []*scenario) {
	for _, s := range all {
		s.start(t)
	}
	time.Sleep(pairtest.Contact)
	for _, s := range all {
		if s.late != nil {
			s.late(s.a, s.b)
		}
		s.a.Do(func() error { return s.observer.Start(t.Context()) })
	}
	for range 16 {
		for _, s := range all {
			s.look(t)
		}
		time.Sleep(400 * time.Millisecond)
	}
	for _, s := range all {
		// Without a listener the sizes between two looks tell, and on a busy host a round takes
		// seconds, in which they are mixed.
		for deadline := time.Now().Add(30 * time.Second); s.deaf && !s.right() && time.Now().Before(deadline); time.Sleep(400 * time.Millisecond) {
			s.look(t)
		}
		t.Run(s.name, s.judge)
	}
}

// A fresh daemon is not called in sync on the strength of the last one's
// messages, and soon is on its own.
func TestHealthAfterARestart(t *testing.T) {
	a, b := pairtest.New(t)
	for _, n := range []*pairtest.Node{a, b} {
		n.WriteConfig(conntracktest.Config(n.Settings, n.Dir))
		if err := n.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(pairtest.Contact)
	nft(b, "input", "udp dport 3780 drop") // nothing of the new run gets through
	o := &Observer{Service: a.Service, Client: control.NewClient(filepath.Join(a.Dir, "ctl")), Settings: a.Settings, Listen: pairtest.Listen[Overheard]}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a.Do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		if err := a.Service.Restart(ctx); err != nil {
			return err
		}
		for range 24 {
			if h := o.Observe(ctx); h.Verdict == VerdictTwoWay || h.Verdict == VerdictLosing {
				return fmt.Errorf("verdict %s: %s", h.Verdict, h.Cause)
			}
			time.Sleep(250 * time.Millisecond)
		}
		return nil
	})
	if out, err := b.Namespace.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a.Do(func() error {
		if h := o.Watch(ctx, time.Minute, nil); h.Verdict != VerdictTwoWay {
			t.Errorf("healed: %s, %s", h.Verdict, h.Cause)
		}
		return nil
	})
}
