package health

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
)

func TestInKernelIsCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		report   mailbox.Report
		peers    int
		injected uint64
		of, want int
		unclear  Unclear
	}{
		"a backup":                                {mailbox.Report{Direct: true, Kernel: 5000, Foreign: 5000}, 0, 0, 5000, 5000, ""},
		"a backup whose daemon was restarted":     {mailbox.Report{Direct: true, Kernel: 5000}, 0, 0, 5000, 5000, ""},
		"an empty one":                            {mailbox.Report{Direct: true}, 0, 0, 5000, 0, ""},
		"both active, all is there":               {mailbox.Report{Direct: true, Kernel: 2000, Foreign: 1000}, 1000, 1000, 1000, 1000, ""},
		"both active, nothing of this node":       {mailbox.Report{Direct: true, Kernel: 1000}, 1000, 1000, 1000, 0, ""},
		"the peer was primary before":             {mailbox.Report{Direct: true, Kernel: 5000}, 0, 9000, 5000, 5000, ""},
		"one refused, though the numbers suffice": {mailbox.Report{Direct: true, Kernel: 600, Foreign: 600, Refused: 40}, 0, 0, 500, 0, UnclearRefused},
		"some refused, and the numbers say so":    {mailbox.Report{Direct: true, Kernel: 480, Foreign: 480, Refused: 40}, 0, 0, 500, 480, ""},
		"refused, and nothing is to be held":      {mailbox.Report{Direct: true, Refused: 40}, 0, 0, 0, 0, ""},
		"numbers that contradict each other":      {mailbox.Report{Direct: true, Kernel: 1, Foreign: 9}, 5, 5, 3, 1, ""},
	} {
		if got, unclear := inKernel(tt.report, tt.peers, tt.injected, tt.of); got != tt.want || unclear != tt.unclear {
			t.Errorf("%s: %d, %q; want %d, %q", name, got, unclear, tt.want, tt.unclear)
		}
	}
}

// A peer that has committed its external cache holds in its kernel what it took over.
func TestInCacheIsCounted(t *testing.T) {
	const runs, unseen, fails = mailbox.HookRuns, mailbox.HookUnseen, mailbox.HookFails
	for name, tt := range map[string]struct {
		role             coverage.Role
		hook             mailbox.Hook
		cause            mailbox.Cause
		external, kernel uint32
		want             int // of 150
		unclear          Unclear
	}{
		"all in the cache":                      {coverage.RoleUnknown, runs, 0, 150, 0, 150, ""},
		"a primary's peer is no primary":        {coverage.RolePrimary, runs, 0, 20, 150, 20, ""},
		"a backup's peer has committed":         {coverage.RoleBackup, runs, 0, 0, 150, 150, ""},
		"a backup's peer, and some ended there": {coverage.RoleBackup, runs, 0, 0, 90, 0, UnclearCommitted},
		"a backup's peer, of an old version":    {coverage.RoleBackup, mailbox.HookUnknown, 0, 1, 149, 150, ""},
		"nothing commits there":                 {coverage.RoleBackup, unseen, 0, 20, 150, 20, ""},
		"keepalived does not let it":            {coverage.RoleBackup, fails, 0, 20, 150, 20, ""},
		"nobody knows the role":                 {coverage.RoleUnknown, runs, 0, 20, 150, 0, UnclearCommitted},
		"nobody knows, and nothing commits":     {coverage.RoleUnknown, unseen, 0, 20, 150, 20, ""},
		"nobody knows, and it is not there":     {coverage.RoleUnknown, runs, 0, 20, 30, 50, ""},
		"nobody knows, and its cache is full":   {coverage.RoleUnknown, runs, mailbox.CauseCacheFull, 20, 150, 20, ""},
	} {
		r := mailbox.Report{External: tt.external, Kernel: tt.kernel, Cause: tt.cause, Host: mailbox.Host{Hook: tt.hook}}
		if got, unclear := inCache(r, tt.role, 150); got != tt.want || unclear != tt.unclear {
			t.Errorf("%s: %d, %q; want %d, %q", name, got, unclear, tt.want, tt.unclear)
		}
	}
}

// What began here and is in no cache is nothing that the peer has put here.
func TestReportWithoutWhatBeganHere(t *testing.T) {
	e := edited(idle(8), func(e *evidence) {
		e.coverage = &coverage.Coverage{Counts: coverage.Counts{Survive: 7, Missing: 30, Young: 2}, Peers: 10, Begun: 31}
	})
	if r := e.report(); r.Kernel != 18 || r.Foreign != 11 {
		t.Errorf("%d in the kernel, %d of them not in the cache; want 18 and 11", r.Kernel, r.Foreign)
	}
}

// What a node says of what it lacks, and of what the peer told.
func TestJudgeWhatIsHeld(t *testing.T) {
	direct := func(edit func(*evidence, *control.Counters)) evidence {
		return edited(idle(8), func(e *evidence) {
			e.conntrackMax, e.holding.Table, e.holding.TableMax, e.hashLimitSet = 4096, 17, 4096, 200
			last := &e.readings[7]
			last.Direct = true
			edit(e, last)
		})
	}
	told := func(cause mailbox.Cause, refused uint32) evidence {
		return direct(func(e *evidence, _ *control.Counters) {
			e.coverage = &coverage.Coverage{NotHeld: 500}
			e.holding.OnPeer, e.holding.Of = 0, 500
			e.holding.Told = &mailbox.Told{Report: mailbox.Report{Direct: true, Cause: cause, Refused: refused, Limit: 4096}}
		})
	}
	uncommitted := func(h mailbox.Hook) evidence {
		return edited(told(mailbox.CauseNone, 0), func(e *evidence) {
			e.coverage = &coverage.Coverage{Uncommitted: 500}
			e.holding.Told = &mailbox.Told{Report: mailbox.Report{External: 500, Host: mailbox.Host{Hook: h}}}
		})
	}
	for name, tt := range map[string]struct {
		e     evidence
		want  Verdict
		words string
		cause mailbox.Cause // that the peer is told
	}{
		"nothing lacks": {direct(func(*evidence, *control.Counters) {}), VerdictTwoWay, "", mailbox.CauseNone},
		"table full": {direct(func(e *evidence, c *control.Counters) { c.InjectFailed, e.holding.Table = 500, 4090 }), VerdictPartial,
			"full (4090 of 4096 entries): 500 states from the peer could not be written -> raise net.netfilter.nf_conntrack_max to 8192", mailbox.CauseTableFull},
		"table full, nothing refused": {direct(func(e *evidence, _ *control.Counters) { e.holding.Table = 4096 }), VerdictTwoWay, "", mailbox.CauseNone},
		"kernel refused": {direct(func(_ *evidence, c *control.Counters) { c.InjectFailed = 1 }), VerdictPartial,
			"this node's kernel refused 1 state of the peer -> read conntrackd's log", mailbox.CauseNotWritten},
		"refused, made good": {direct(func(e *evidence, c *control.Counters) { c.InjectFailed, e.asked = 5, &Received{Refused: 5} }), VerdictTwoWay, "", mailbox.CauseNone},
		"refused again": {direct(func(e *evidence, c *control.Counters) { c.InjectFailed, e.asked = 7, &Received{Refused: 5} }), VerdictPartial,
			"refused 2 states", mailbox.CauseNotWritten},
		"external cache full": {direct(func(e *evidence, c *control.Counters) { c.Direct, c.External, c.ExternalNoSpace = false, 200, 300 }), VerdictPartial,
			"the external cache is full (200 states): 300 states from the peer could not be stored -> raise HashLimit in conntrackd.conf to 8192", mailbox.CauseCacheFull},
		"told: table full": {told(mailbox.CauseTableFull, 500), VerdictPartial, "the peer holds only 0 of the 500 connections of this node: its kernel's connection table of 4096 entries is full -> raise net.netfilter.nf_conntrack_max to 8192", mailbox.CauseNone},
		"told: cache full": {told(mailbox.CauseCacheFull, 500), VerdictPartial, "HashLimit is 4096 there -> on the peer, raise HashLimit", mailbox.CauseNone},
		"told: refused":    {told(mailbox.CauseNotWritten, 500), VerdictPartial, "its kernel refused 500 states -> on the peer, run connsync status", mailbox.CauseNone},
		"told: refused, and all may be there": {edited(told(mailbox.CauseNotWritten, 1), func(e *evidence) {
			e.coverage, e.holding.OnPeer, e.holding.Of, e.holding.Unclear = &coverage.Coverage{}, -1, -1, UnclearRefused
		}), VerdictUnknown, "the peer's kernel refused 1 state, and what it reported does not show whether a connection of this node is among them -> on the peer, run connsync status", mailbox.CauseNone},
		"nothing refreshes": {edited(direct(func(*evidence, *control.Counters) {}), func(e *evidence) { e.coverage = &coverage.Coverage{Unclear: 4} }), VerdictUnknown,
			"4 connections began longer ago than the peer's kernel keeps an entry of which it gets no news, and nothing is seen to refresh them there -> run connsync refresh --every auto --background, on both nodes", mailbox.CauseNone},
		"told: no cause":                   {told(mailbox.CauseNone, 0), VerdictPartial, "were removed or expired there, or were not sent since conntrackd was started here -> send them again (conntrackd -B), after every start", mailbox.CauseNone},
		"told: nothing commits":            {uncommitted(mailbox.HookUnseen), VerdictUnknown, "the peer keeps 500 connections in its external cache, and nothing was seen there that commits them at a failover -> on the peer, have", mailbox.CauseNone},
		"told: keepalived does not run it": {uncommitted(mailbox.HookFails), VerdictPartial, "its keepalived does not run connsync failover primary, which commits them at a failover -> on the peer, run connsync check", mailbox.CauseNone},
		"told: nothing commits, and others are filtered": {edited(uncommitted(mailbox.HookUnseen), func(e *evidence) { e.coverage.Filtered = 3 }), VerdictPartial,
			"3 of 503 connections would not survive", mailbox.CauseNone},
		"told: cause of the future": {told(99, 0), VerdictPartial, "holds only 0 of the 500", mailbox.CauseNone},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(tt.e)
			if said := got.Cause + " -> " + got.Next; got.Verdict != tt.want || !strings.Contains(said, tt.words) {
				t.Errorf("verdict %s: %s; want %s with %q", got.Verdict, said, tt.want, tt.words)
			}
			if cause := tt.e.shortage(); cause != tt.cause {
				t.Errorf("the peer is told %d, want %d", cause, tt.cause)
			}
		})
	}
}

// What may not be on the peer any more does not count as surviving.
func TestWhatMayNotBeThere(t *testing.T) {
	refused := &mailbox.Told{Report: mailbox.Report{Direct: true, Refused: 113}}
	for name, tt := range map[string]struct {
		h                         Holding
		aged                      int
		survive, notHeld, unclear int
	}{
		"nothing told":                       {Holding{OnPeer: -1, Of: -1}, 0, 50, 0, 0},
		"nothing told, some are old":         {Holding{OnPeer: -1, Of: -1}, 4, 46, 0, 4},
		"some may have expired since":        {Holding{OnPeer: 50, Of: 50}, 4, 46, 0, 4},
		"all are there":                      {Holding{OnPeer: 50, Of: 50}, 0, 50, 0, 0},
		"some have expired":                  {Holding{OnPeer: 46, Of: 50}, 4, 42, 4, 4},
		"more refused than there are":        {Holding{Told: refused, OnPeer: -1, Of: -1, Unclear: UnclearRefused}, 0, 0, 0, 50},
		"one refused":                        {Holding{Told: &mailbox.Told{Report: mailbox.Report{Direct: true, Refused: 1}}, OnPeer: -1, Of: -1, Unclear: UnclearRefused}, 0, 49, 0, 1},
		"one refused, and others are old":    {Holding{Told: &mailbox.Told{Report: mailbox.Report{Direct: true, Refused: 1}}, OnPeer: -1, Of: -1, Unclear: UnclearRefused}, 4, 45, 0, 5},
		"a cache that it may have committed": {Holding{Told: &mailbox.Told{}, OnPeer: -1, Of: -1, Unclear: UnclearCommitted}, 0, 50, 0, 0},
	} {
		c := coverage.Coverage{Counts: coverage.Counts{Survive: 50}, Aged: tt.aged, BeginAgain: 50}
		tt.h.takeFrom(&c)
		if c.Survive != tt.survive || c.NotHeld != tt.notHeld || c.Unclear != tt.unclear || c.BeginAgain != tt.survive || c.Own() != 50 {
			t.Errorf("%s: %d survive, %d not held, %d unclear, %d begin again, %d of all; want %d, %d, %d", name, c.Survive, c.NotHeld, c.Unclear, c.BeginAgain, c.Own(), tt.survive, tt.notHeld, tt.unclear)
		}
	}
}

// A cache that nothing commits counts where it is known, and only there.
func TestUncommitted(t *testing.T) {
	for _, tt := range []struct {
		direct bool
		hook   mailbox.Hook
		want   bool
	}{
		{false, mailbox.HookUnseen, true}, {false, mailbox.HookFails, true},
		{false, mailbox.HookUnknown, false}, {false, mailbox.HookRuns, false}, {false, 9, false},
		{true, mailbox.HookUnseen, false}, {true, mailbox.HookFails, false},
	} {
		h := Holding{Told: &mailbox.Told{Report: mailbox.Report{Direct: tt.direct, Host: mailbox.Host{Hook: tt.hook}}}}
		if got := h.uncommitted(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if (Holding{}).uncommitted() {
		t.Error("a peer that has not told")
	}
}

// A node asks for what it lacks, and not for nothing.
func TestLacks(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*evidence, *control.Counters)
		want mailbox.Cause
	}{
		"began empty, never asked": {func(*evidence, *control.Counters) {}, mailbox.CauseEmptied},
		"began empty, asked":       {func(e *evidence, _ *control.Counters) { e.asked = &Received{} }, mailbox.CauseNone},
		"just started":             {func(e *evidence, _ *control.Counters) { e.service.Since = e.now.Add(-time.Second) }, mailbox.CauseNone},
		"has some": {func(e *evidence, c *control.Counters) {
			c.Direct, c.Injected, e.coverage = true, 500, &coverage.Coverage{Peers: 500}
		}, mailbox.CauseNone},
		"flushed": {func(e *evidence, c *control.Counters) {
			c.Direct, c.Injected, e.coverage, e.asked = true, 500, &coverage.Coverage{}, &Received{}
		}, mailbox.CauseEmptied},
		"flushed, the second look is to come": {func(e *evidence, c *control.Counters) {
			c.Direct, c.Injected, e.coverage, e.asked = true, 500, &coverage.Coverage{Pending: true}, &Received{}
		}, mailbox.CauseNone},
		"the peer's reports alone came": {func(e *evidence, c *control.Counters) {
			c.Direct, c.Injected, e.coverage, e.asked = true, 4, &coverage.Coverage{}, &Received{Taken: 1}
		}, mailbox.CauseNone},
		"external cache with the peer's report alone": {func(e *evidence, c *control.Counters) {
			c.External, c.ExternalCreated, e.coverage = 1, 1, &coverage.Coverage{}
		}, mailbox.CauseEmptied},
		"refused, room now": {func(e *evidence, c *control.Counters) { c.Direct, c.Injected, c.InjectFailed = true, 9, 5 }, mailbox.CauseNotWritten},
		"refused, no room": {func(e *evidence, c *control.Counters) {
			c.Direct, c.Injected, c.InjectFailed, e.holding = true, 9, 5, Holding{Table: 4096, TableMax: 4096}
		}, mailbox.CauseNone},
		"HashLimit, no room": {func(e *evidence, c *control.Counters) {
			c.External, c.ExternalNoSpace, e.hashLimitSet = 200, 5, 200
		}, mailbox.CauseNone},
	} {
		e := edited(idle(8), func(e *evidence) { tt.edit(e, &e.readings[7]) })
		if got := e.lacks(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestVersionsThatSwapNAT(t *testing.T) {
	for _, tt := range []struct {
		a, b [3]uint8
		want bool
	}{
		{[3]uint8{1, 4, 6}, [3]uint8{1, 4, 7}, true}, {[3]uint8{1, 4, 9}, [3]uint8{1, 4, 5}, true},
		{[3]uint8{1, 4, 7}, [3]uint8{1, 4, 9}, false}, {[3]uint8{1, 4, 5}, [3]uint8{1, 4, 6}, false},
		{[3]uint8{}, [3]uint8{1, 4, 6}, false}, {[3]uint8{1, 4, 6}, [3]uint8{}, false}, {[3]uint8{1, 5, 0}, [3]uint8{1, 4, 6}, true},
	} {
		if got := natSwapped(tt.a, tt.b); got != tt.want {
			t.Errorf("%v with %v: %v", tt.a, tt.b, got)
		}
	}
	e := idle(8)
	e.holding = Holding{Daemon: [3]uint8{1, 4, 7}, Told: &mailbox.Told{Report: mailbox.Report{Daemon: [3]uint8{1, 4, 6}}}}
	if j := judge(e); j.Verdict != VerdictMismatch || !strings.Contains(j.Cause, "conntrackd 1.4.7 and the peer 1.4.6") {
		t.Errorf("%+v", j)
	}
}

// What differs is named; a peer that does not tell has nothing that differs.
func TestDiffer(t *testing.T) {
	own := conntracktest.Settings()
	buffers, all := conntrackd.NewSettingTable().Digests(own)
	for name, test := range map[string]struct {
		told mailbox.Report
		want []Difference
	}{
		"the same":         {mailbox.Report{Direct: true, Buffers: buffers, Settings: all}, nil},
		"an older version": {mailbox.Report{Direct: false}, nil},
		"buffers":          {mailbox.Report{Direct: true, Buffers: buffers + 1, Settings: all + 1}, []Difference{DifferBuffers}},
		"cache":            {mailbox.Report{Buffers: buffers, Settings: all + 1}, []Difference{DifferCache}},
		"both":             {mailbox.Report{Buffers: buffers + 1, Settings: all + 1}, []Difference{DifferBuffers, DifferCache}},
		"mode":             {mailbox.Report{Buffers: buffers, Settings: all + 1, Mode: mailbox.ModeAlarm}, []Difference{DifferCache, DifferMode}},
		"the same mode":    {mailbox.Report{Direct: true, Buffers: buffers, Settings: all, Mode: mailbox.ModeFTFW}, nil},
		"another":          {mailbox.Report{Direct: true, Buffers: buffers, Settings: all + 1}, []Difference{DifferOther}},
	} {
		if diff := cmp.Diff(test.want, differ(own, true, mailbox.ModeFTFW, test.told)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if d := differ(conntrackd.Settings{}, true, mailbox.ModeFTFW, mailbox.Report{Buffers: 1, Settings: 1}); d != nil {
		t.Errorf("without settings here: %v", d)
	}
}
