package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/pairtest"
	"connsync/conntrackd/service"
)

// watcher observes a node and tells the peer what is there, as the refresh does.
type watcher struct {
	*Observer
	n *pairtest.Node
	// unheard is called where a report could not be left; may be nil.
	unheard func()
}

func watch(n *pairtest.Node, edit func(*Observer)) watcher {
	n.T.Helper()
	content, err := os.ReadFile(n.ConfigPath())
	if err != nil {
		n.T.Fatal(err)
	}
	file, _ := conntrackd.Parse(n.ConfigPath(), content)
	o := &Observer{Service: n.Service, Client: n.Client(), Settings: n.Settings, Listen: pairtest.Listen[Overheard],
		Coverage: &coverage.Looker{Client: n.Client(), File: file}}
	if edit != nil {
		edit(o)
	}
	n.Do(func() error { return o.Start(n.T.Context()) })
	return watcher{o, n, nil}
}

// until observes, and tells, until the health is as wanted and told, for five minutes at
// most.
func (w watcher) until(tell bool, wanted func(Health) bool) (h Health) {
	w.n.T.Helper()
	return patiently(func() (Health, bool) {
		h, told := w.look(tell)
		return h, told && wanted(h)
	})
}

// hears is until for a node whose peer goes on telling: from a full table, whose daemon is
// busy, one report may be lost.
func (w watcher) hears(peer watcher, wanted func(Health) bool) (h Health) {
	w.n.T.Helper()
	return patiently(func() (Health, bool) {
		peer.look(true)
		h, _ := w.look(false)
		return h, wanted(h)
	})
}

// look observes once, and tells; told is false where that failed.
func (w watcher) look(tell bool) (h Health, told bool) {
	w.n.T.Helper()
	w.n.Do(func() error {
		_, _ = w.Coverage.LookNow(context.Background()) // a busy host looks seldom
		h = w.Observe(context.Background())
		told = !tell || w.Tell(context.Background()) == nil
		return nil
	})
	if !told && w.unheard != nil {
		w.unheard()
	}
	return h, told
}

func patiently(look func() (h Health, done bool)) (h Health) {
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		var done bool
		if h, done = look(); done {
			break
		}
	}
	return h
}

func says(v Verdict, words ...string) func(Health) bool {
	return func(h Health) bool {
		for _, w := range words {
			if !strings.Contains(h.Cause+" -> "+h.Next, w) {
				return false
			}
		}
		return h.Verdict == v
	}
}

// holds says that the peer of a node holds so many of so many connections.
func holds(held, of int) func(Health) bool {
	return func(h Health) bool {
		return h.Holding.Told != nil && h.Holding.OnPeer == held && h.Holding.Of == of
	}
}

func runPair(t *testing.T, editB func(string) string) (a, b *pairtest.Node) {
	t.Helper()
	a, b = pairtest.New(t)
	for _, n := range []*pairtest.Node{a, b} {
		config := conntracktest.Config(n.Settings, n.Dir)
		if editB != nil {
			config = editB(config)
		}
		n.WriteConfig(config)
		if err := n.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(pairtest.Contact)
	return a, b
}

func expect(t *testing.T, node string, h Health, wanted func(Health) bool) {
	t.Helper()
	if !wanted(h) {
		t.Errorf("%s: verdict %s: %s -> %s; %+v, told %+v, %+v", node, h.Verdict, h.Cause, h.Next, h.Holding, h.Holding.Told, h.Coverage)
	}
}

// Two consoles with nothing but the sync link between them.
func TestPeerSaysWhatItHolds(t *testing.T) {
	for name, edit := range map[string]func(string) string{"kernel": nil, "external cache": pairtest.ExternalCache} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := runPair(t, edit)
			atA, atB := watch(a, nil), watch(b, nil)
			if err := a.Fill(10, 5000); err != nil {
				t.Fatal(err)
			}
			h := atA.until(false, says(VerdictTwoWay))
			if h.Holding.Told != nil {
				t.Errorf("told %+v by a peer that has not said a thing", h.Holding.Told)
			}
			time.Sleep(3 * time.Second)
			atB.until(true, says(VerdictTwoWay))
			expect(t, "a", atA.until(false, holds(5000, 5000)), holds(5000, 5000))
			expect(t, "a", atA.until(false, says(VerdictTwoWay)), says(VerdictTwoWay))
			if told := atA.until(false, says(VerdictTwoWay)).Holding.Told; told == nil || told.Daemon[0] == 0 {
				t.Errorf("told %+v, without the version of the daemon", told)
			}
			// Who takes over the look of another has the report too, as the reporter does.
			next := watch(a, func(o *Observer) { o.Coverage, o.Listen = atA.Coverage, nil })
			a.Do(func() error {
				if h := next.Observe(t.Context()); h.Holding.Told == nil || h.Coverage == nil {
					t.Errorf("the next observer has %+v", h.Holding)
				}
				return nil
			})
		})
	}
}

func TestFlushOnThePeerIsNamed(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, nil)
	may := false
	atA, atB := watch(a, nil), watch(b, func(o *Observer) {
		o.MayAsk = func(_ service.State, _ Received) bool { return may }
	})
	if err := a.Fill(10, 500); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	if out, err := b.Namespace.Command("conntrack", "-F").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	atB.until(true, says(VerdictTwoWay))
	expect(t, "a", atA.until(false, says(VerdictPartial, "holds only 0 of the 500")), says(VerdictPartial, "holds only 0 of the 500", "removed", "conntrackd -B"))
	may = true
	expect(t, "b", atB.until(false, says(VerdictLosing, "held none of the peer's 500 states any more")), says(VerdictLosing, "held none of the peer's 500 states any more", "conntrack -F"))
	atB.until(true, func(Health) bool { return true })
	expect(t, "a", atA.until(false, holds(500, 500)), holds(500, 500))
}

func TestHashLimitOnThePeerIsNamed(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, pairtest.ExternalCache)
	b.WriteConfig(conntracktest.Swap(pairtest.ExternalCache(conntracktest.Config(b.Settings, b.Dir)), "HashLimit 65536", "HashLimit 200"))
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(pairtest.Contact)
	atA, atB := watch(a, nil), watch(b, nil)
	if err := a.Fill(10, 500); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	want := says(VerdictPartial, "external cache is full (200 states)", "HashLimit in conntrackd.conf to")
	expect(t, "b", atB.until(true, want), want)
	want = says(VerdictPartial, "holds only 200 of the 500", "HashLimit is 200 there", "on the peer, raise HashLimit")
	expect(t, "a", atA.until(false, want), want)
}

func TestFullTableOnThePeerIsNamed(t *testing.T) {
	t.Parallel()
	host, err := conntrackd.ReadHost()
	if err != nil || host.ConntrackMax == 0 || host.ConntrackMax > 1<<20 {
		t.Fatalf("nf_conntrack_max is %d, %v: it cannot be filled", host.ConntrackMax, err)
	}
	a, b := runPair(t, nil)
	keepToItself(b, "20.0.0.0/6")
	// In a full table a report takes the place of the one before, which a slow host
	// would have lost by then.
	lasting := func(o *Observer) { o.reportLifetime = time.Hour }
	atA, atB := watch(a, lasting), watch(b, lasting)
	atB.until(true, says(VerdictTwoWay))
	const parts = 4
	for i := range parts {
		if err := b.Fill(byte(20+i), host.ConntrackMax/parts+8); err != nil && (i < parts-1 || !errors.Is(err, unix.ENOMEM)) {
			t.Fatalf("part %d: %v", i, err)
		} else if err == nil && i == parts-1 {
			t.Fatal("the table is not full")
		}
	}
	// More than have to be refused: some may get the place of a report that is replaced.
	if err := a.Fill(10, 520); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	// The report's place may have gone to a state of the peer. As elsewhere connections end,
	// which makes room.
	ended := 0
	atB.unheard = func() {
		ended++
		_ = b.Namespace.Command("conntrack", "-D", "-s", fmt.Sprintf("20.1.%d.%d", ended>>8+1, ended&255)).Run()
	}
	// They are asked for again meanwhile, and each that is refused counts again.
	named := says(VerdictPartial, "connection table of this node's kernel is full", "states from the peer could not be written", "nf_conntrack_max")
	want := func(h Health) bool { return named(h) && h.Holding.Refused >= 500 }
	expect(t, "b", atB.until(true, want), want)
	want = says(VerdictPartial, "connection table of", "is full", "nf_conntrack_max")
	expect(t, "a", atA.hears(atB, want), want)
	if told := atA.hears(atB, want).Holding.Told; told == nil || told.Cause != mailbox.CauseTableFull {
		t.Errorf("a was told %+v", told)
	}
}

// A connection of the backup's own stands in the way of one of the peer.
func TestRefusedWriteIsNamed(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, nil)
	keepToItself(b, "10.9.9.9")
	atA, atB := watch(a, nil), watch(b, nil)
	standInTheWay(b)
	if err := a.Fill(10, 20); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	want := says(VerdictPartial, "kernel refused 1 state of the peer", "inject")
	expect(t, "b", atB.until(true, want), want)
	want = says(VerdictPartial, "holds only 19 of the 20", "its kernel refused")
	expect(t, "a", atA.until(false, want), want)
}

// standInTheWay has a node hold a connection with the replies of connection 7 of 10.0.0.0/8.
func standInTheWay(b *pairtest.Node) {
	b.T.Helper()
	if out, err := b.Namespace.Command("conntrack", "-I", "-p", "tcp", "-s", "10.9.9.9", "-d", "203.0.113.5", "-g", "10.200.0.1", "-n", "10.1.0.7", "--sport", "40000", "--dport", "80",
		"--state", "ESTABLISHED", "-u", "ASSURED,SEEN_REPLY", "-t", "900").CombinedOutput(); err != nil {
		b.T.Fatalf("%v %s", err, out)
	}
}

// What was refused and has ended since lacks nowhere.
func TestRefusedAndEndedIsNotMissing(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, nil)
	keepToItself(b, "10.9.9.9")
	asks := false
	atA, atB := watch(a, nil), watch(b, func(o *Observer) { o.MayAsk = func(service.State, Received) bool { return asks } })
	standInTheWay(b)
	if err := a.Fill(10, 20); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	atB.until(true, says(VerdictPartial, "kernel refused 1 state of the peer"))
	want := says(VerdictPartial, "holds only 19 of the 20", "its kernel refused")
	expect(t, "a", atA.until(false, want), want)
	if out, err := a.Namespace.Command("conntrack", "-D", "-s", "10.1.0.7").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	want = says(VerdictUnknown, "the peer's kernel refused 1 state", "does not show whether")
	expect(t, "a", atA.hears(atB, want), want)
	asks = true
	want = holds(19, 19)
	expect(t, "a", atA.hears(atB, want), want)
}

// keepToItself has a node's daemon ignore what comes from a network.
func keepToItself(n *pairtest.Node, network string) {
	n.T.Helper()
	n.WriteConfig(conntracktest.Swap(conntracktest.Config(n.Settings, n.Dir), "General {",
		"General {\n  Filter From Userspace {\n    Address Ignore {\n      IPv4_address "+network+"\n    }\n  }"))
	if err := n.Restart(); err != nil {
		n.T.Fatal(err)
	}
	time.Sleep(pairtest.Contact)
}

// A backup whose kernel tells of no connections cannot answer: that is not told, not none.
// It says so itself, for its peer cannot see it, and does not believe to have told.
func TestPeerWithoutEventsIsNotTold(t *testing.T) {
	t.Parallel()
	a, b := runPair(t, nil)
	if out, err := b.Namespace.Command("sysctl", "-w", "net.netfilter.nf_conntrack_events=0").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	atA, atB := watch(a, nil), watch(b, nil)
	if err := a.Fill(10, 50); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	expect(t, "b", atB.until(false, says(VerdictPartial)), func(h Health) bool {
		return h.Verdict == VerdictPartial && strings.Contains(h.Cause, "nf_conntrack_events is 0") && strings.Contains(h.Next, "sysctl -w net.netfilter.nf_conntrack_events=1")
	})
	silent(t, atB, "nf_conntrack_events is 0")
	time.Sleep(2 * time.Second)
	h := atA.until(false, says(VerdictTwoWay))
	if h.Holding.Told != nil {
		t.Errorf("told %+v", h.Holding.Told)
	}
	expect(t, "a", h, says(VerdictTwoWay))
}

// silent expects that a node cannot tell its peer, and why.
func silent(t *testing.T, w watcher, why string) {
	t.Helper()
	w.n.Do(func() error {
		_, _ = w.Coverage.LookNow(context.Background())
		if err := w.Tell(context.Background()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("told the peer: %v, want one with %q", err, why)
		}
		return nil
	})
}

// A report that the file keeps from the peer was not told.
func TestFilteredReportIsNotTold(t *testing.T) {
	t.Parallel()
	_, b := runPair(t, func(config string) string {
		return conntracktest.Swap(config, "HashLimit 65536", "HashLimit 65536\n  Filter From Userspace {\n Protocol Accept {\n TCP\n }\n }")
	})
	w := watch(b, nil)
	w.until(false, says(VerdictTwoWay))
	silent(t, w, "Protocol Accept")
}
