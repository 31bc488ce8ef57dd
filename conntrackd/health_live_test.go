package conntrackd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// record is the evidence of a scenario as it is kept in testdata/health.
type record struct {
	Want     Verdict
	Mode     string
	Now      time.Time
	Service  ServiceState
	Sockets  Sockets
	Drops    uint64
	Wire     recordedWire
	Readings []Counters
}

type recordedWire struct {
	Listening bool
	Last      time.Time
	ACKs      int
	HelloBack bool
	Hellos    int
	Alive     int
}

func newRecord(e evidence, want Verdict) record {
	return record{
		Want: want, Mode: e.mode, Now: e.now, Service: e.service, Sockets: e.sockets, Drops: e.drops, Readings: e.readings,
		Wire: recordedWire{e.wire.listening, e.wire.last, e.wire.acks, e.wire.helloBack, e.wire.hellos, e.wire.alive},
	}
}

func (r record) evidence() evidence {
	return evidence{
		now: r.Now, service: r.Service, sockets: r.Sockets, drops: r.Drops, readings: r.Readings, mode: r.Mode, settings: testSettings(),
		wire: wire{r.Wire.Listening, r.Wire.Last, r.Wire.ACKs, r.Wire.HelloBack, r.Wire.Hellos, r.Wire.Alive},
	}
}

// nft gives a node's firewall one rule in a chain at a hook.
func (n *testNode) nft(hook, rule string) {
	n.t.Helper()
	for _, args := range [][]string{
		{"add", "table", "inet", "t"},
		{"add", "chain", "inet", "t", hook, "{ type filter hook " + hook + " priority 0; }"},
		append([]string{"add", "rule", "inet", "t", hook}, strings.Fields(rule)...),
	} {
		if out, err := n.ns.Command("nft", args...).CombinedOutput(); err != nil {
			n.t.Fatalf("nft %q: %v: %s", args, err, out)
		}
	}
}

func (n *testNode) run(edit ...string) {
	n.t.Helper()
	n.writeConfig(swap(testConfig(n.settings, n.dir), edit...))
	if err := n.restart(); err != nil {
		n.t.Fatal(err)
	}
}

// contact is how long two fresh daemons take to find each other, and more.
const contact = 2500 * time.Millisecond

const notrack = "Mode FTFW {\n    DisableExternalCache on"

// scenario is a fault of a pair, and what node a has to say of it.
type scenario struct {
	name  string
	want  Verdict
	cause string // part of it
	mode  string // of node a, where it is not FTFW
	deaf  bool   // without an ear
	// fault is called with both nodes stopped and returns with both as the
	// scenario has them.
	fault func(a, b *testNode)
}

func both(a, b *testNode) {
	a.run()
	b.run()
	time.Sleep(contact)
}

func scenarios() []scenario {
	return []scenario{
		{name: "both-up", want: VerdictTwoWay, fault: both},
		{name: "both-up-without-ear", want: VerdictTwoWay, deaf: true, fault: both},
		{name: "peer-disabled", want: VerdictSilent, cause: "since conntrackd started", fault: func(a, b *testNode) { a.run() }},
		{name: "peer-stopped", want: VerdictSilent, cause: "any more", fault: func(a, b *testNode) {
			both(a, b)
			if err := unix.Kill(b.state().MainPID, unix.SIGSTOP); err != nil {
				b.t.Fatal(err)
			}
			pid := b.state().MainPID
			b.t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGCONT) })
		}},
		{name: "peer-port-differs", want: VerdictSilent, fault: func(a, b *testNode) {
			a.run()
			b.run("Port 3780", "Port 3790")
		}},
		{name: "peer-input-dropped", want: VerdictReceivingOnly, cause: "does not receive us", fault: func(a, b *testNode) {
			both(a, b)
			b.nft("input", "udp dport 3780 drop")
		}},
		{name: "peer-input-dropped-without-ear", want: VerdictReceivingOnly, deaf: true, fault: func(a, b *testNode) {
			both(a, b)
			b.nft("input", "udp dport 3780 drop")
		}},
		{name: "peer-input-dropped-from-the-start", want: VerdictReceivingOnly, cause: "does not receive us", fault: func(a, b *testNode) {
			b.nft("input", "udp dport 3780 drop")
			both(a, b)
		}},
		{name: "own-output-dropped", want: VerdictReceivingOnly, cause: "cannot be sent from here", fault: func(a, b *testNode) {
			both(a, b)
			a.nft("output", "udp dport 3780 drop")
		}},
		{name: "own-input-dropped", want: VerdictSendingOnly, cause: "do not reach conntrackd", fault: func(a, b *testNode) {
			both(a, b)
			a.nft("input", "udp dport 3780 drop")
		}},
		{name: "peer-output-dropped", want: VerdictSilent, cause: "any more", fault: func(a, b *testNode) {
			both(a, b)
			b.nft("output", "udp dport 3780 drop")
		}},
		{name: "peer-address-removed", want: VerdictSilent, fault: func(a, b *testNode) {
			both(a, b)
			b.do(func() error {
				link, err := netlink.LinkByName("sync0")
				if err != nil {
					return err
				}
				addr, err := netlink.ParseAddr(b.settings.Current.String())
				if err != nil {
					return err
				}
				return netlink.AddrDel(link, addr)
			})
		}},
		{name: "link-down", want: VerdictSilent, cause: "sync0 is NO-CARRIER", fault: func(a, b *testNode) {
			both(a, b)
			b.do(func() error {
				link, err := netlink.LinkByName("sync0")
				if err != nil {
					return err
				}
				return netlink.LinkSetDown(link)
			})
		}},
		{name: "peer-notrack", want: VerdictReceivingOnly, cause: "another Mode", fault: func(a, b *testNode) {
			a.run()
			b.run(notrack, "Mode NOTRACK {")
		}},
		{name: "own-notrack", want: VerdictMismatch, mode: "NOTRACK", fault: func(a, b *testNode) {
			a.run(notrack, "Mode NOTRACK {")
			b.run()
		}},
		{name: "both-notrack", want: VerdictUnknown, cause: "does not confirm", mode: "NOTRACK", fault: func(a, b *testNode) {
			a.run(notrack, "Mode NOTRACK {")
			b.run(notrack, "Mode NOTRACK {")
		}},
		{name: "loss", want: VerdictLosing, cause: "lost on the way", fault: func(a, b *testNode) {
			both(a, b)
			b.nft("postrouting", "udp dport 3780 numgen inc mod 3 == 0 drop")
			a.nft("prerouting", "udp dport 3780 numgen inc mod 3 == 0 drop")
		}},
	}
}

// TestHealthScenarios brings each fault about. With CONNSYNC_UPDATE=1 it keeps
// the evidence for TestJudgeCaptured.
func TestHealthScenarios(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			a, b := newPair(t)
			s.fault(a, b)
			e := s.observe(t, a)
			got := e.health()
			if got.Verdict != s.want || !strings.Contains(got.Cause, s.cause) {
				t.Errorf("verdict %s: %q (%s); want %s: ...%s...\nwire %+v\nlast %+v", got.Verdict, got.Cause, got.Next, s.want, s.cause, e.wire, got.Counters)
			}
			if (got.Next == "") != (got.Verdict == VerdictTwoWay) {
				t.Errorf("verdict %s has next step %q", got.Verdict, got.Next)
			}
			if os.Getenv("CONNSYNC_UPDATE") == "" || t.Failed() {
				return
			}
			content, err := json.MarshalIndent(newRecord(e, s.want), "", " ")
			if err == nil {
				err = os.WriteFile(filepath.Join("testdata", "health", s.name+".json"), append(content, '\n'), 0o644)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// observe watches node a for longer than any window of the judge, so that
// what was seen before the fault has faded.
func (s scenario) observe(t *testing.T, a *testNode) evidence {
	o := &Observer{
		Service: a.service, Client: NewClient(filepath.Join(a.dir, "ctl")), Settings: a.settings, Mode: s.mode,
	}
	if !s.deaf {
		o.Listen = listenTest
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var e evidence
	a.do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		for range 16 {
			e = o.gather(ctx)
			time.Sleep(500 * time.Millisecond)
		}
		return nil
	})
	return e
}

// A fresh daemon is not called in sync on the strength of the last one's
// messages, and soon is on its own.
func TestHealthAfterARestart(t *testing.T) {
	t.Parallel()
	a, b := newPair(t)
	both(a, b)
	b.nft("input", "udp dport 3780 drop") // nothing of the new run gets through
	o := &Observer{Service: a.service, Client: NewClient(filepath.Join(a.dir, "ctl")), Settings: a.settings, Listen: listenTest}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a.do(func() error {
		if err := o.Start(ctx); err != nil {
			return err
		}
		if err := a.service.Restart(ctx); err != nil {
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
	if out, err := b.ns.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a.do(func() error {
		if h := o.Watch(ctx, 10*time.Second, nil); h.Verdict != VerdictTwoWay {
			t.Errorf("healed: %s, %s", h.Verdict, h.Cause)
		}
		return nil
	})
}
