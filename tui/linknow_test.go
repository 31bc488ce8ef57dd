package tui

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/live"
)

// fakeLinker plans the real checks of a link with answers of the test.
type fakeLinker struct {
	findings map[check.ID]check.Finding
	after    time.Duration // of the last answer

	asked   []string     // the peers that were asked for
	running atomic.Int64 // looks that have not ended
}

func (f *fakeLinker) LinkPlan(s conntrackd.Settings) []check.Check {
	f.asked = append(f.asked, s.Peer.String())
	checks := live.Plan(netcheck.Target{})
	for i := range checks {
		id, delay := checks[i].ID, f.after
		finding, ok := f.findings[id]
		if !ok {
			finding = check.Pass("%v is heard on UDP port %d", s.Peer.Addr(), s.Port)
		}
		if id != live.CheckPeerHeard {
			delay = 0
		}
		checks[i].Run = func(ctx context.Context) check.Finding {
			f.running.Add(1)
			defer f.running.Add(-1)
			select {
			case <-time.After(delay):
				return finding
			case <-ctx.Done():
				return check.CouldNotRun(ctx.Err())
			}
		}
	}
	return checks
}

func mild(f check.Finding) check.Finding {
	f.Mild = true
	return f
}

// What a look at a link finds in the cases that people meet.
var (
	peerOff = map[check.ID]check.Finding{
		"peer-link": check.Fail("", "nobody answers ARP for 10.0.0.102 on eth1: the peer is down, elsewhere, or has another address"),
	}
	portClosed = map[check.ID]check.Finding{
		"peer-port":  mild(check.Fail("", "nothing listens on UDP port 3780 of 10.0.0.102 yet, or a firewall there rejects it")),
		"peer-heard": mild(check.Fail("", "10.0.0.102 sends nothing to UDP port 3780 here")),
	}
	notRoot = map[check.ID]check.Finding{
		"duplicate-address": {Status: check.Unknown, Detail: "could not check whether another host has 10.0.0.101: that takes root (CAP_NET_RAW)"},
		"peer-link":         {Status: check.Unknown, Detail: "the peer could not be asked for: that takes root (CAP_NET_RAW)"},
		"peer-heard":        {Status: check.Unknown, Detail: "only root may listen for the peer"},
	}
	wireCut = map[check.ID]check.Finding{"carrier": check.Fail("", "eth1 has no carrier")}
)

// driveLink runs the form with a link that is looked at.
func driveLink(t *testing.T, l *fakeLinker, width, height int, do func(d *driver)) {
	t.Helper()
	drive(t, Options{Hostname: "fw-a", Glyphs: ASCIIGlyphs(), Effects: Effects{Linker: l}}, width, height, func(d *driver) {
		d.has(appliance())
		do(d)
	})
}

// has is a host with those interfaces.
func (d *driver) has(list []netcheck.Interface) {
	d.m.form.host.list, d.m.form.host.known = list, true
	d.m.form.settle()
	d.send(nil)
}

func TestLinkPages(t *testing.T) {
	of := func(findings map[check.ID]check.Finding, keys ...string) page {
		return page{effects: Effects{Linker: &fakeLinker{findings: findings}}, do: func(d *driver) {
			d.has(appliance())
			d.press(keys...)
			d.wait(2 * time.Second)
		}}
	}
	pages := []page{of(nil), of(portClosed, "tab", "tab"), of(peerOff), of(notRoot), of(wireCut), of(peerOff, "esc")}
	for i, name := range []string{"good", "warned", "failed", "unknown", "cut", "button"} {
		pages[i].name = name
	}
	checkPages(t, pages, "good", "warned")
	checkWide(t, pages, "warned")
	t.Run("warned/unicode-200x60", func(t *testing.T) { checkPage(t, pages[1], UnicodeGlyphs(), ThemeOf(true, true), 200, 60) })
	for _, p := range pages[:3] {
		t.Run(p.name+"/45x24", func(t *testing.T) { checkPage(t, p, ASCIIGlyphs(), PlainTheme(), 45, 24) })
		t.Run(p.name+"/80x18", func(t *testing.T) { checkPage(t, p, ASCIIGlyphs(), PlainTheme(), 80, 18) })
	}
}

// Nothing is asked while somebody types, and what is asked holds up no key.
func TestTheLinkIsNeverInTheWayOfTyping(t *testing.T) {
	l := &fakeLinker{after: time.Hour}
	driveLink(t, l, 80, 24, func(d *driver) {
		d.wait(linkPause - 100*time.Millisecond)
		if len(l.asked) != 0 {
			t.Fatalf("the link was asked before the pause: %v", l.asked)
		}
		d.press("tab", "tab", "tab")
		for i := range 30 { // of a second, with each address good
			d.press("backspace", fmt.Sprint(4-i%2))
			d.wants(fmt.Sprintf("10.0.0.102/2%d", 4-i%2))
			d.wait(300 * time.Millisecond)
		}
		if len(l.asked) != 0 {
			t.Fatalf("the link was asked while somebody typed: %v", l.asked)
		}
		d.wait(linkPause)
		if len(l.asked) != 1 || l.running.Load() == 0 {
			t.Fatalf("the link was asked %d times after the pause, %d checks run", len(l.asked), l.running.Load())
		}
		before := time.Now()
		d.press("backspace")
		d.wants("10.0.0.102/2")
		d.wait(100 * time.Millisecond)
		if l.running.Load() != 0 {
			t.Errorf("%d checks go on after what they are about has changed", l.running.Load())
		}
		if took := time.Since(before); took > 100*time.Millisecond {
			t.Errorf("the key took %v", took)
		}
		d.wait(2 * linkPause)
		d.lacks(linkTitle) // what the look that was ended has answered
	})
}

// An answer goes with the first change of what it is about, and one that comes after
// that is dropped.
func TestAStaleAnswerIsNeverShown(t *testing.T) {
	l := &fakeLinker{after: 2 * time.Second}
	driveLink(t, l, 80, 24, func(d *driver) {
		d.wait(linkPause + 1900*time.Millisecond)
		d.lacks(linkTitle)
		d.press("tab", "tab", "tab", "backspace", "3") // while the answer is on its way
		d.wait(linkPause + 1900*time.Millisecond)
		d.lacks(linkTitle)
		d.wait(time.Second)
		d.wants(linkTitle, "10.0.0.101 eth1 ---- up ---- 10.0.0.102 replies to ARP and ping", "ok 12 warning 0 failed 0 10.0.0.102 is heard on UDP port 3780")
		d.press("tab", "1")
		d.lacks(linkTitle)
		d.wait(4 * time.Second)
		d.wants("10.0.0.102 is heard on UDP port 37801")

		changed := appliance()
		changed[2].Carrier = false
		d.has(changed)
		d.lacks(linkTitle)
		d.press("9") // no port
		d.wait(time.Minute)
		d.lacks(linkTitle)
	})
}

// What comes while somebody types in a field that the link is not about is drawn after
// a pause, and the same answer is not drawn twice.
func TestAnAnswerWaitsForAPause(t *testing.T) {
	l := &fakeLinker{}
	driveLink(t, l, 80, 24, func(d *driver) {
		d.wait(linkPause)
		d.press("tab", "tab", "tab", "tab", "tab") // to the send buffer
		l.findings = peerOff
		d.wait(linkGoodEvery - 300*time.Millisecond)
		for range 20 {
			d.press("6")
			d.wait(300 * time.Millisecond)
			d.press("backspace")
			d.lacks("nobody answers")
		}
		d.wait(linkPause)
		d.wants("nobody answers ARP for 10.0.0.102 on eth1")
		drawn := d.content()
		asked := len(l.asked)
		d.wait(time.Minute)
		if got := d.content(); got != drawn {
			t.Errorf("nothing has changed, and the screen has:\n%s", got)
		}
		if more := len(l.asked) - asked; more < 10 || more > 12 {
			t.Errorf("a link with a problem was asked %d times in a minute", more)
		}
		l.findings = nil
		d.wait(linkBadEvery + linkPause) // no key
		d.wants("replies to ARP and ping")
	})
}

// Another screen is not disturbed, nor is its link asked; what is old when the form
// comes back is not shown.
func TestTheLinkRestsBehindOtherScreens(t *testing.T) {
	l := &fakeLinker{}
	driveLink(t, l, 80, 24, func(d *driver) {
		d.wait(2 * time.Second)
		d.press("?")
		d.wait(5 * time.Second)
		d.press("enter")
		d.wants(linkTitle)
		d.press("?")
		asked := len(l.asked)
		d.wait(time.Hour)
		if len(l.asked) != asked {
			t.Errorf("the link was asked %d times behind the help", len(l.asked)-asked)
		}
		l.findings = wireCut
		d.press("enter")
		d.lacks(linkTitle)
		d.wait(2 * time.Second)
		d.wants("10.0.0.101 eth1 ---- no carrier ---- 10.0.0.102 was not asked")
	})
}

// Fields that are blank or bad are not asked about.
func TestOnlyGoodFieldsAreAskedAbout(t *testing.T) {
	for name, change := range map[string]func(*conntrackd.Settings){
		"another subnet": func(s *conntrackd.Settings) { s.Peer = prefixes("10.0.1.102/24")[0] },
		"no peer":        func(s *conntrackd.Settings) { s.Peer = conntrackd.Settings{}.Peer },
		"no interface":   func(s *conntrackd.Settings) { s.Interface = "eth99" },
		"blank":          func(s *conntrackd.Settings) { *s = conntrackd.Defaults() },
	} {
		t.Run(name, func(t *testing.T) {
			l, s := &fakeLinker{}, pairSettings()
			change(&s)
			driveAsIs(t, Options{Glyphs: ASCIIGlyphs(), Saved: s, Effects: Effects{Linker: l}}, 80, 24, func(d *driver) {
				d.has(appliance())
				d.wait(time.Minute)
				if len(l.asked) != 0 {
					t.Errorf("asked for %s", strings.Join(l.asked, ", "))
				}
			})
		})
	}
}
