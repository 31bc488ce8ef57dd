package conntrackd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The evidence of real pairs with real faults, as TestHealthScenarios kept it.
func TestJudgeCaptured(t *testing.T) {
	files, err := filepath.Glob("testdata/health/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d scenarios in testdata/health, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r record
			if err := json.Unmarshal(content, &r); err != nil {
				t.Fatal(err)
			}
			if got := judge(r.evidence()); got.Verdict != r.Want {
				t.Errorf("verdict %s: %s; want %s", got.Verdict, got.Cause, r.Want)
			}
		})
	}
}

// idle is the evidence of a healthy idle pair, one reading a second for n
// seconds, whose daemon has run for an hour.
func idle(n int) evidence {
	now := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	e := evidence{
		now: now, service: ServiceState{Active: true, MainPID: 7, Since: now.Add(-time.Hour)},
		sockets: Sockets{Bound: true, Address: "10.77.0.1:3780"}, mode: "FTFW", settings: testSettings(),
		wire: wire{listening: true, last: now.Add(-time.Second), acks: n},
	}
	for i := range n {
		e.readings = append(e.readings, Counters{
			Time: now.Add(time.Duration(i-n+1) * time.Second), Device: "sync0", Link: "RUNNING",
			PacketsSent: uint64(3600 + i), PacketsRecv: uint64(3600 + i), BytesSent: uint64(16 * (3600 + i)), BytesRecv: uint64(16 * (3600 + i)),
		})
	}
	return e
}

// quiet takes the peer away from evidence e.
func quiet(e evidence) evidence {
	e.wire = wire{listening: true}
	for i := range e.readings {
		e.readings[i].PacketsRecv, e.readings[i].BytesRecv = 0, 0
	}
	return e
}

func edited(e evidence, edit func(*evidence)) evidence {
	edit(&e)
	return e
}

// growth has the newest reading differ from the others.
func growth(edit func(*Counters)) evidence {
	return edited(idle(8), func(e *evidence) { edit(&e.readings[7]) })
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name  string
		e     evidence
		want  Verdict
		words string // in cause or next
	}{
		{"healthy", idle(8), VerdictTwoWay, ""},
		{"service unknown", edited(idle(8), func(e *evidence) { e.serviceErr = errors.New("access denied") }), VerdictUnknown, "access denied"},
		{"stopped", edited(idle(8), func(e *evidence) { e.service = ServiceState{Detail: "failed (Result: exit-code)"} }), VerdictStopped, "exit-code"},
		{"Stats mode", edited(idle(8), func(e *evidence) { e.countersErr = fmt.Errorf("ask: %w", ErrStatsMode) }), VerdictStopped, "no Sync section"},
		{"no answer", edited(idle(8), func(e *evidence) { e.countersErr = context.DeadlineExceeded }), VerdictUnknown, "does not answer"},
		{"nothing read", edited(idle(8), func(e *evidence) { e.readings = nil }), VerdictUnknown, ""},
		{"one reading", idle(1), VerdictUnknown, "too briefly"},
		{"two readings, one second", idle(2), VerdictTwoWay, ""},
		{"started a second ago, no word", edited(quiet(idle(2)), func(e *evidence) { e.service.Since = e.now.Add(-time.Second) }), VerdictUnknown, "just started"},
		{"started a second ago, answered", edited(idle(1), func(e *evidence) {
			e.service.Since = e.now.Add(-time.Second)
			e.wire = wire{listening: true, last: e.now, helloBack: true}
		}), VerdictTwoWay, ""},
		{"one acknowledgement, perhaps of the last run", edited(idle(8), func(e *evidence) { e.wire.acks = 1 }), VerdictUnknown, "not confirmed"},
		{"two late heartbeats", edited(idle(8), func(e *evidence) { e.wire.alive = 2 }), VerdictTwoWay, ""},
		{"three heartbeats", edited(idle(8), func(e *evidence) { e.wire.alive = 3 }), VerdictReceivingOnly, "does not receive us"},
		{"stuck resend queue", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].ResendQueue = uint64(1000 + i)
			}
		}), VerdictReceivingOnly, "does not receive us"},
		{"full resend queue of a bulk", edited(idle(8), func(e *evidence) { e.readings[7].ResendQueue = 5000 }), VerdictTwoWay, ""},
		{"acknowledgement window", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].ResendQueue = uint64(280 + i)
			}
		}), VerdictTwoWay, ""},
		{"no ear, traffic", edited(idle(8), func(e *evidence) {
			e.wire = wire{}
			for i := range e.readings {
				e.readings[i].BytesRecv = uint64(i * 260)
			}
		}), VerdictUnknown, "run as root"},
		{"no ear, heartbeats only", edited(idle(8), func(e *evidence) {
			e.wire = wire{}
			for i := range e.readings {
				e.readings[i].BytesRecv = uint64(i * 8)
			}
		}), VerdictReceivingOnly, "does not receive us"},
		{"silent", quiet(idle(8)), VerdictSilent, "enable sync on the peer"},
		{"silent, own socket elsewhere", edited(quiet(idle(8)), func(e *evidence) {
			e.sockets = Sockets{Address: "0.0.0.0:3780"}
		}), VerdictSilent, "on 0.0.0.0:3780"},
		{"silent, link down", edited(quiet(idle(8)), func(e *evidence) { e.readings[7].Link = "DOWN" }), VerdictSilent, "sync0 is DOWN"},
		{"silent, own sends fail", edited(quiet(idle(8)), func(e *evidence) { e.readings[7].ErrorsSent = 9 }), VerdictSilent, "cannot be sent"},
		{"own firewall, both ways", edited(quiet(idle(8)), func(e *evidence) {
			e.wire = wire{listening: true, last: e.now, alive: 5}
		}), VerdictSilent, "this node's firewall"},
		{"other mode", growth(func(c *Counters) { c.BadHeader = 4 }), VerdictMismatch, "same Mode"},
		{"lost", growth(func(c *Counters) { c.Lost = 12 }), VerdictLosing, "12 messages"},
		{"lost long ago", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].Lost = 12
			}
		}), VerdictTwoWay, ""},
		{"receive buffer", edited(growth(func(c *Counters) { c.Lost = 12 }), func(e *evidence) { e.drops = 5 }), VerdictLosing, "raise Receive Buffer Size"},
		{"overrun", growth(func(c *Counters) { c.Overruns = 1 }), VerdictLosing, "raise Send Buffer Size"},
		{"table full", growth(func(c *Counters) { c.NoSpace = 1 }), VerdictLosing, "HashLimit"},
		{"malformed", growth(func(c *Counters) { c.Malformed = 1 }), VerdictLosing, "second sender"},
		{"errors", growth(func(c *Counters) { c.ErrorsSent = 1 }), VerdictLosing, "firewall"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(tt.e)
			if got.Verdict != tt.want || !strings.Contains(got.Cause+"; "+got.Next, tt.words) {
				t.Errorf("verdict %s: %s; %s\nwant %s with %q", got.Verdict, got.Cause, got.Next, tt.want, tt.words)
			}
			if got.Cause == "" {
				t.Error("no cause")
			}
		})
	}
}

func TestEar(t *testing.T) {
	control := func(flags Flags) []byte {
		if flags.Has(FlagACK) || flags.Has(FlagNACK) {
			return append([]byte{0x1a, byte(flags), 0, 16, 0, 0, 0, 1}, make([]byte, 8)...)
		}
		return []byte{0x1a, byte(flags), 0, 8, 0, 0, 0, 1}
	}
	state := append([]byte{0x10, 0, 0, 16, 0, 0, 0, 1}, make([]byte, 8)...)
	start := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		said  [][]byte // one a second, the first a second after the start
		since time.Duration
		want  wire
	}{
		{"nothing", nil, 0, wire{}},
		{"contact", [][]byte{control(FlagAlive | FlagHello), control(FlagACK | FlagHello | FlagHelloBack), control(FlagACK)}, 0,
			wire{last: start.Add(3 * time.Second), acks: 1, helloBack: true, hellos: 2}},
		{"not heard", [][]byte{control(FlagACK), control(FlagAlive), control(FlagAlive), control(FlagAlive)}, 0,
			wire{last: start.Add(4 * time.Second), acks: 1, alive: 3}},
		{"heard again", [][]byte{control(FlagAlive), control(FlagAlive), control(FlagNACK)}, 0,
			wire{last: start.Add(3 * time.Second), acks: 1}},
		{"of the last run", [][]byte{control(FlagACK | FlagHelloBack), control(FlagACK), state}, 2 * time.Second,
			wire{last: start.Add(3 * time.Second)}},
		{"a port probe and rubbish", [][]byte{{}, []byte("hello, is anybody there?")}, 0, wire{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e ear
			for i, payload := range tt.said {
				e.add(start.Add(time.Duration(i+1)*time.Second), payload)
			}
			tt.want.listening = true
			if got := e.since(start.Add(tt.since)); got != tt.want {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
	var e ear
	for range 10 * maxHeard {
		e.add(start, control(FlagNACK))
	}
	if len(e.heard) > maxHeard {
		t.Errorf("a flood of requests fills the memory: %d", len(e.heard))
	}
}
