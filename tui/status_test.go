package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// fakeObserver answers with the reading for the time since the first look.
type fakeObserver struct {
	at    func(after time.Duration) (health.Health, error)
	first time.Time
	looks int
	block bool
}

func (f *fakeObserver) Observe(ctx context.Context) (health.Health, error) {
	f.looks++
	if f.block {
		return health.Health{}, untilDone(ctx)
	}
	if f.first.IsZero() {
		f.first = time.Now()
	}
	if f.at == nil {
		return health.Health{Verdict: health.VerdictUnknown}, nil
	}
	return f.at(time.Since(f.first))
}

// idle is a pair without traffic: one message a second each way.
func idle(verdict health.Verdict, cause, next string) func(time.Duration) (health.Health, error) {
	return func(after time.Duration) (health.Health, error) {
		n := uint64(after / time.Second)
		h := health.Health{
			Verdict: verdict, Cause: cause, Next: next,
			Service: service.State{Present: true, Active: true, Enabled: true, MainPID: 4711},
			Sockets: health.Sockets{Bound: true, Address: "10.0.0.101:3780", ReceiveBuffer: 131072, SendBuffer: 131072},
			Counters: control.Counters{
				Time: time.Now(), Device: "eth1", Link: "RUNNING", Uptime: 124 * time.Minute,
				PacketsSent: 7440 + n, PacketsRecv: 7436 + n, BytesSent: 119040 + 16*n, BytesRecv: 118976 + 16*n,
				Internal: 212, Injected: 198, ResendQueue: 1,
			},
		}
		return h, nil
	}
}

// busy is a pair under traffic that comes and goes.
func busy(after time.Duration) (health.Health, error) {
	h, err := idle(health.VerdictTwoWay, "messages of the peer arrive and it confirms ours", "")(after)
	sent := uint64(0)
	for i := range int(after / time.Second) {
		sent += uint64(20 * (i / 5 % 7))
	}
	h.PacketsSent += sent
	h.BytesSent += 96 * sent
	h.PacketsRecv += sent / 10
	h.Internal += sent / 3
	return h, err
}

// toStatus opens the status and lets time pass.
func toStatus(t time.Duration, keys ...string) func(*driver) {
	return func(d *driver) {
		d.follow(statusWanted{})
		d.wait(t)
		d.press(keys...)
	}
}

func TestStatusPages(t *testing.T) {
	with := func(at func(time.Duration) (health.Health, error)) Effects {
		return Effects{Observer: &fakeObserver{at: at}}
	}
	losing := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictLosing, "the receive buffer overflowed 17 times", "raise Receive Buffer Size, on both nodes alike")(after)
		h.Lost, h.Overruns, h.Sockets.ReceiveBuffer = 1937, 4, 65536
		return h, err
	}
	mismatch := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictMismatch, "the peer speaks another sync mode than FTFW", "set Mode FTFW on the peer, as connsync does")(after)
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
	direct := func(after time.Duration) (health.Health, error) {
		h, err := busy(after)
		h.Service.Unbooted, h.Service.Detail = true, "started directly; nothing starts it at boot"
		return h, err
	}
	blind := func(time.Duration) (health.Health, error) {
		return health.Health{}, errors.New("dial /var/run/conntrackd.ctl: permission denied")
	}
	checkPages(t, []page{
		{"looking", Effects{Observer: &fakeObserver{block: true}}, toStatus(time.Second)},
		{"first", with(busy), toStatus(0)},
		{"twoway", with(busy), toStatus(150 * time.Second)},
		{"direct", with(direct), toStatus(0)},
		{"idle", with(idle(health.VerdictTwoWay, "messages of the peer arrive and it confirms ours", "")), toStatus(30 * time.Second)},
		{"receiving", with(idle(health.VerdictReceivingOnly, "10.0.0.102 is heard and does not confirm our messages", "on the peer, run connsync check")), toStatus(10 * time.Second)},
		{"sending", with(idle(health.VerdictSendingOnly, "10.0.0.102 confirms our messages and its own do not arrive", "let UDP port 3780 pass this node's firewall")), toStatus(10 * time.Second)},
		{"silent", with(idle(health.VerdictSilent, "no word from 10.0.0.102 since conntrackd started", "enable sync on the peer, with the same port 3780 and the addresses swapped")), toStatus(10 * time.Second)},
		{"losing", with(losing), toStatus(10 * time.Second)},
		{"partial", with(partial), toStatus(10 * time.Second)},
		{"mismatch", with(mismatch), toStatus(10 * time.Second)},
		{"stopped", with(stopped), toStatus(10 * time.Second)},
		{"unknown", with(blind), toStatus(10 * time.Second)},
		{"noeffect", Effects{}, toStatus(time.Second)},
	}, "twoway", "silent")
}

func TestStatusLooksOnceASecondWhileInSight(t *testing.T) {
	f := &fakeObserver{at: busy}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f}}, 80, 24, func(d *driver) {
		toStatus(10 * time.Second)(d)
		if f.looks != 11 {
			t.Errorf("%d looks in 10 s", f.looks)
		}
		d.press("r", "r", "r") // each supersedes the one before; only one chain goes on
		d.wait(10 * time.Second)
		if f.looks != 24 {
			t.Errorf("%d looks, want 11 + 3 + 10", f.looks)
		}
		d.press("?") // the help is in front
		d.wait(10 * time.Second)
		if f.looks != 24 {
			t.Errorf("%d looks while out of sight", f.looks-24)
		}
		d.press("esc")
		d.wait(2 * time.Second)
		if f.looks != 26 {
			t.Errorf("%d looks after it was back, want 2", f.looks-24)
		}
		d.press("esc")
		d.wantScreen(&form{})
		d.wait(time.Minute)
		if f.looks != 26 {
			t.Errorf("%d looks after it was closed", f.looks-26)
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
	at := idle(health.VerdictTwoWay, "messages of the peer arrive and it confirms ours", "")
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: at}}}, 80, 24, func(d *driver) {
		toStatus(6 * time.Minute)(d) // the plot is full
		total := 0
		for range 60 {
			before := d.content()
			d.wait(time.Second)
			cells, lines := changedCells(t, before, d.content())
			if lines > 2 || cells > 8 { // one number each way
				t.Errorf("%d cells on %d lines changed", cells, lines)
			}
			total += cells
		}
		if total > 150 {
			t.Errorf("%d cells in a minute", total)
		}
	})
}

func TestStatusRestartedDaemon(t *testing.T) {
	restarted := func(after time.Duration) (health.Health, error) {
		h, err := idle(health.VerdictTwoWay, "", "")(after)
		if after >= 10*time.Second {
			h.PacketsSent, h.PacketsRecv, h.BytesSent, h.BytesRecv, h.Uptime = 3, 2, 48, 32, 0
		}
		return h, err
	}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: &fakeObserver{at: restarted}}}, 80, 24, func(d *driver) {
		toStatus(9 * time.Second)(d)
		d.wants("1.0")
		d.wait(time.Second)
		d.wants("sent 3 - -", "running for less than a minute")
	})
}

func TestStatusPatience(t *testing.T) {
	f := &fakeObserver{block: true}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Observer: f}}, 80, 24, func(d *driver) {
		toStatus(statusPatience + time.Second)(d)
		d.wants("Unknown: the state of the sync could not be seen.", "context deadline exceeded", "sync unknown")
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
