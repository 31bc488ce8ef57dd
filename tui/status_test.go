package tui

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

func TestStatusPages(t *testing.T) {
	with := func(at func(time.Duration) (health.Health, error)) Effects {
		return Effects{Observer: &fakeObserver{at: at}, Events: &fakeEvents{}}
	}
	losing := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictLosing, "the receive buffer overflowed 17 times", "raise Receive Buffer Size, on both nodes")(after)
		h.Lost, h.Overruns, h.Sockets.ReceiveBuffer = 1937, 4, 65536
		return h, err
	}
	mismatch := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictMismatch, "the peer uses another sync mode than FTFW", "set Mode FTFW on the peer, as connsync does")(after)
		h.Malformed = 33 + uint64(after/time.Second)
		return h, err
	}
	stopped := func(time.Duration) (health.Health, error) {
		return health.Health{Verdict: health.VerdictStopped, Cause: "conntrackd.service has failed", Next: "enable sync, or read the daemon's log",
			Service: service.State{Present: true, Enabled: true, Restarts: 5, Detail: "failed (Result: exit-code)"}}, nil
	}
	partial := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictPartial, "30 of 242 connections would not survive a failover: line 41 of the file keeps out 30 connections (Address Ignore 10.1.0.0/16)",
			"change line 41 of /etc/conntrackd/conntrackd.conf and restart conntrackd")(after)
		h.Coverage = &coverage.Coverage{Counts: coverage.Counts{Survive: 212, Filtered: 30}}
		return h, err
	}
	off := func(time.Duration) (health.Health, error) {
		return health.Health{Verdict: health.VerdictStopped, Off: true, Cause: "nothing is set up on this node", Next: "set it up: connsync, or line by line connsync setup"}, nil
	}
	direct := func(after time.Duration) (health.Health, error) {
		h, err := busy(after)
		h.Service.Unbooted, h.Service.Detail = true, "started directly, not started at boot"
		return h, err
	}
	blind := func(time.Duration) (health.Health, error) {
		return health.Health{}, errors.New("dial /var/run/conntrackd.ctl: permission denied")
	}
	pages := []page{
		{"looking", Effects{Observer: &fakeObserver{block: true}}, toStatus(time.Second)},
		{"first", with(busy), toStatus(0)},
		{"twoway", with(busy), toStatus(150 * time.Second)},
		{"direct", with(direct), toStatus(0)},
		{"idle", with(idle(health.VerdictTwoWay, "messages from the peer arrive and it acknowledges this node's", "")), toStatus(30 * time.Second)},
		{"receiving", with(idle(health.VerdictReceivingOnly, "10.0.0.102 is heard and does not acknowledge this node's messages", "on the peer, run connsync check")), toStatus(10 * time.Second)},
		{"sending", with(idle(health.VerdictSendingOnly, "10.0.0.102 acknowledges this node's messages and its own do not arrive", "let UDP port 3780 pass this node's firewall")), toStatus(10 * time.Second)},
		{"silent", with(idle(health.VerdictSilent, "10.0.0.102 has sent nothing since conntrackd started", "enable sync on the peer, with the same port 3780 and the addresses swapped")), toStatus(10 * time.Second)},
		{"losing", with(losing), toStatus(10 * time.Second)},
		{"partial", with(partial), toStatus(10 * time.Second)},
		{"mismatch", with(mismatch), toStatus(10 * time.Second)},
		{"stopped", with(stopped), toStatus(10 * time.Second)},
		{"unknown", with(blind), toStatus(10 * time.Second)},
		{"off", with(off), toStatus(time.Second)},
		{"coverage", with(sampled(partial)), toStatus(10*time.Second, "c")},
		{"events", with(busy), toStatus(10*time.Second, "e")},
		{"noeffect", Effects{}, toStatus(time.Second)},
	}
	checkPages(t, pages, "twoway", "silent")
	for _, p := range pages {
		switch p.name {
		case "twoway", "silent", "off", "coverage", "events":
			t.Run(p.name+"/200x60", func(t *testing.T) { checkPage(t, p, ASCIIGlyphs(), PlainTheme(), 200, 60) })
			t.Run(p.name+"/unicode-200x60", func(t *testing.T) { checkPage(t, p, UnicodeGlyphs(), ColourTheme(), 200, 60) })
		}
	}
}

// sampled adds some of the connections that would be lost.
func sampled(at func(time.Duration) (health.Health, error)) func(time.Duration) (health.Health, error) {
	return func(after time.Duration) (health.Health, error) {
		h, err := at(after)
		c := *h.Coverage
		c.Kinds = []coverage.Kind{{Family: "ipv4", Protocol: "tcp", Counts: c.Counts}}
		c.Rules = []coverage.FilteredBy{{Rule: coverage.Rule{Line: 41, Text: "Address Ignore 10.1.0.0/16"}, Entries: 30}}
		for i := range 20 {
			e := coverage.Entry{Protocol: 6}
			e.Original.Source, e.Original.Destination = netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), netip.MustParseAddr("203.0.113.7")
			c.Sample = append(c.Sample, coverage.LostEntry{Entry: e, Rule: c.Rules[0].Rule})
		}
		h.Coverage = &c
		return h, err
	}
}

// The sync is looked at all the time: once a second while the status is in sight, else for
// each column of its plots.
func TestStatusLooks(t *testing.T) {
	f := &fakeObserver{at: busy}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f}}, 80, 24, func(d *driver) {
		looks := 0
		want := func(more int, when string) {
			t.Helper()
			if f.looks != looks+more {
				t.Errorf("%d looks %s, want %d", f.looks-looks, when, more)
			}
			looks = f.looks
		}
		toStatus(10 * time.Second)(d)
		want(11, "in 10 s")
		d.press("r", "r", "r") // each supersedes the one before; only one chain goes on
		d.wait(10 * time.Second)
		want(3+10, "in 10 s after three more")
		d.press("?") // the help is in front
		d.wait(500 * time.Millisecond)
		looks = f.looks
		d.wait(11 * time.Second)
		want(3, "in 11 s behind the help") // one was due, then every 5 s
		d.press("esc", "esc")
		d.wantScreen(&form{})
		d.wait(time.Minute)
		want(12, "in a minute on the form")
	})
}

// A look at a large table takes its time; keys do not cut it short.
func TestStatusLetsALookEnd(t *testing.T) {
	f := &fakeObserver{at: func(time.Duration) (health.Health, error) {
		time.Sleep(3 * time.Second)
		return health.Health{Verdict: health.VerdictTwoWay}, nil
	}}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f, Events: &fakeEvents{}}}, 80, 24, func(d *driver) {
		toStatus(time.Second, "r", "r", "r")(d)
		d.wait(1900 * time.Millisecond)
		d.lacks("In sync both ways.")
		if f.looks != 1 {
			t.Errorf("%d looks at once", f.looks)
		}
		d.wait(200 * time.Millisecond)
		d.wants("In sync both ways.")
	})
}

// A verdict comes into the records once it has lasted: the list has it soon after.
func TestStatusReadsWhatCameOnRecord(t *testing.T) {
	e := &fakeEvents{}
	f := &fakeObserver{at: func(after time.Duration) (health.Health, error) {
		if after < 10*time.Second {
			return health.Health{Verdict: health.VerdictTwoWay}, nil
		}
		return health.Health{Verdict: health.VerdictSilent}, nil
	}}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f, Events: e}}, 80, 24, func(d *driver) {
		toStatus(9 * time.Second)(d)
		before := e.reads
		d.wait(2 * time.Second)
		if e.reads != before+1 {
			t.Errorf("read %d times at the change", e.reads-before)
		}
		d.wait(10 * time.Second)
		if e.reads != before+2 {
			t.Errorf("read %d times until after it was recorded", e.reads-before)
		}
	})
}

// The plots go on when the status is left, and keep their past.
func TestStatusKeepsItsPast(t *testing.T) {
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: busy}}}, 80, 24, func(d *driver) {
		toStatus(35 * time.Second)(d)
		plotted := func() string { return strings.TrimRight(plotLine(d.content()), " |") }
		before := plotted()
		if len(before) < 6 {
			t.Fatalf("%q after 35 s", before)
		}
		d.press("esc")
		d.wantScreen(&form{})
		d.wait(35 * time.Second)
		d.follow(statusWanted{})
		d.wait(time.Second)
		if after := plotted(); !strings.HasPrefix(after, before) || len(after) < len(before)+6 {
			t.Errorf("%q, and after 35 s on the form %q", before, after)
		}
	})
}

// The title has the verdict on every screen, and not one that is still measured.
func TestVerdictInTheTitle(t *testing.T) {
	measured := func(after time.Duration) (health.Health, error) {
		if after < 3*time.Second {
			return health.Health{Verdict: health.VerdictUnknown, Cause: "still measured"}, nil
		}
		return idle(health.VerdictTwoWay, "", "")(after)
	}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: measured}}}, 80, 24, func(d *driver) {
		d.do(d.m.Init())
		d.wait(2 * time.Second)
		d.wants("sync enabled")
		d.wait(4 * time.Second)
		d.wantScreen(&form{})
		d.wants("in sync both ways")
		d.send(settingsSaved{settings: pairSettings()})
		d.wants("sync enabled")
		d.wait(time.Second)
		d.wants("in sync both ways")
	})
	blind := &fakeObserver{at: func(time.Duration) (health.Health, error) { return health.Health{}, errors.New("permission denied") }}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Effects: Effects{Observer: blind}}, "sync unknown"},
		{Options{Effects: Effects{Observer: blind}, Unmanaged: true}, "sync not known"}, // nobody asks
		{Options{}, "sync enabled"},
	} {
		tt.o.Glyphs = ASCIIGlyphs()
		drive(t, tt.o, 80, 24, func(d *driver) {
			d.do(d.m.Init())
			d.wait(20 * time.Second)
			d.wants(tt.want)
		})
	}
}

// A save that is at work is not looked at: the daemon is restarted meanwhile.
func TestPulseWaitsForASave(t *testing.T) {
	f := &fakeObserver{at: busy}
	o := Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f, Applier: &fakeApplier{hold: true}}}
	drive(t, o, 80, 24, func(d *driver) {
		d.do(d.m.Init())
		d.wait(time.Second)
		d.follow(applyWanted{settings: pairSettings(), review: changedReview()})
		looks := f.looks
		d.wait(30 * time.Second)
		if f.looks > looks {
			t.Errorf("%d looks during a save", f.looks-looks)
		}
	})
}

func TestStatusUnchangedReadingChangesNoCell(t *testing.T) {
	still := func(time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictStopped, "cause", "next")(0)
		return h, err
	}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: still}}}, 80, 24, func(d *driver) {
		toStatus(10 * time.Second)(d)
		before := d.content()
		for range 120 {
			d.wait(time.Second)
			if got := d.content(); got != before {
				t.Fatalf("changed from\n%s\nto\n%s", before, got)
			}
		}
	})
}

func TestStatusRefreshTouchesFewCells(t *testing.T) {
	at := idle(health.VerdictTwoWay, "messages from the peer arrive and it acknowledges this node's", "")
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: at}}}, 80, 24, func(d *driver) {
		toStatus(6 * time.Minute)(d) // the plot is full
		total := 0
		for range 60 {
			before := d.content()
			d.wait(time.Second)
			cells, lines := changedCells(t, before, d.content())
			if lines > 3 || cells > 2*(67/4)+4 { // both plots move by a quarter at once
				t.Errorf("%d cells on %d lines changed", cells, lines)
			}
			total += cells
		}
		if total > 75 {
			t.Errorf("%d cells in a minute", total)
		}
	})
}

func TestStatusRestartedDaemon(t *testing.T) {
	restarted := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictTwoWay, "", "")(after)
		if after >= 10*time.Second {
			h.PacketsSent, h.PacketsRecv, h.BytesSent, h.BytesRecv, h.Uptime = 3, 2, 48, 32, 0
			h.Service.Since = h.Counters.Time.Add(-time.Second)
		}
		return h, err
	}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: restarted}}}, 132, 43, func(d *driver) {
		toStatus(9 * time.Second)(d)
		before := d.content()
		d.wait(2 * time.Second)
		d.wants("running for less than a minute")
		if plotLine(before) == "" || !strings.HasPrefix(plotLine(d.content()), strings.TrimRight(plotLine(before), " |")) {
			t.Errorf("the plot %q lost its past: %q", plotLine(before), plotLine(d.content()))
		}
	})
}

func TestStatusPatience(t *testing.T) {
	f := &fakeObserver{block: true}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f}}, 80, 24, func(d *driver) {
		toStatus(20 * time.Second)(d)
		d.wants("Unknown: whether the nodes are in sync could not be told.", "context deadline exceeded", "sync unknown")
	})
}

func TestStatusNotesTheVerdict(t *testing.T) {
	changing := func(after time.Duration) (health.Health, error) {
		if after < 5*time.Second {
			return idle(health.VerdictSilent, "", "")(after)
		}
		return idle(health.VerdictTwoWay, "", "")(after)
	}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: changing}}}, 80, 24, func(d *driver) {
		toStatus(time.Second)(d)
		d.wants("no word from the peer", "At the other node")
		d.wait(5 * time.Second)
		d.wants("in sync both ways")
		d.lacks("no word from the peer", "At the other node")
	})
}

func TestStatusHostileText(t *testing.T) {
	t.Parallel()
	nasty := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictSilent, hostile, hostile)(after)
		h.Service.Detail, h.Device, h.Link, h.Sockets.Address = hostile, hostile, hostile, hostile
		return h, err
	}
	checkHostile(t, Effects{Observer: &fakeObserver{at: nasty}}, toStatus(10*time.Second))
	checkHostile(t, Effects{Observer: &fakeObserver{at: func(time.Duration) (health.Health, error) {
		return health.Health{}, errors.New(hostile)
	}}}, toStatus(time.Second))
}

// plotLine is the plot of what is sent, from its frame on.
func plotLine(screen string) string {
	for _, line := range strings.Split(screen, "\n") {
		if rest, ok := strings.CutPrefix(line, " sent     |"); ok {
			return rest
		}
	}
	return ""
}

// changedCells counts the cells and the lines that differ.
func changedCells(t *testing.T, a, b string) (cells, lines int) {
	t.Helper()
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	if len(as) != len(bs) {
		t.Fatalf("%d lines, then %d", len(as), len(bs))
	}
	for i := range as {
		n := 0
		for j := range max(len(as[i]), len(bs[i])) {
			if j >= len(as[i]) || j >= len(bs[i]) || as[i][j] != bs[i][j] {
				n++
			}
		}
		if n > 0 {
			cells, lines = cells+n, lines+1
		}
	}
	return cells, lines
}

func changedLines(a, b string) int {
	n := 0
	bs := strings.Split(b, "\n")
	for i, line := range strings.Split(a, "\n") {
		if line != bs[i] {
			n++
		}
	}
	return n
}
