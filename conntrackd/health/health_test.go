package health

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

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/service"
	"connsync/trust"
)

// The evidence of real pairs with real faults, as TestHealthScenarios kept it.
func TestJudgeCaptured(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d scenarios in testdata/scenarios, %v", len(files), err)
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
		now: now, service: service.State{Active: true, MainPID: 7, Since: now.Add(-time.Hour)},
		sockets: Sockets{Bound: true, Address: "10.77.0.1:3780"}, mode: "FTFW", settings: conntracktest.Settings(),
		wire: wire{Listening: true, Last: now.Add(-time.Second), OwnPlain: now, ACKs: n},
	}
	for i := range n {
		e.readings = append(e.readings, control.Counters{
			Time: now.Add(time.Duration(i-n+1) * time.Second), Device: "sync0", Link: "RUNNING", Reliable: true,
			PacketsSent: uint64(3600 + i), PacketsRecv: uint64(3600 + i), BytesSent: uint64(16 * (3600 + i)), BytesRecv: uint64(16 * (3600 + i)),
		})
	}
	return e
}

// busyPeer is a peer that sends states and no control messages.
func busyPeer(e evidence) evidence {
	e.wire = wire{Listening: true, Last: e.now, Plain: e.now}
	return e
}

// quiet takes the peer away from evidence e.
func quiet(e evidence) evidence {
	e.wire = wire{Listening: true}
	for i := range e.readings {
		e.readings[i].PacketsRecv, e.readings[i].BytesRecv = 0, 0
	}
	return e
}

// covered is the evidence of a healthy pair with connections.
func covered(c coverage.Coverage) evidence {
	return edited(idle(8), func(e *evidence) { e.coverage = &c })
}

func edited(e evidence, edit func(*evidence)) evidence {
	edit(&e)
	return e
}

// growth has the newest reading differ from the others.
func growth(edit func(*control.Counters)) evidence {
	return edited(idle(8), func(e *evidence) { edit(&e.readings[7]) })
}

// refilled is the evidence of a pair whose states did not come by themselves here.
func refilled() evidence {
	return edited(idle(8), func(e *evidence) {
		e.missing = missingStates{states: 34, why: mailbox.CauseEmptied, uptime: 7 * time.Second, at: e.now}
	})
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name  string
		e     evidence
		want  Verdict
		words string // in cause or next
	}{
		{"healthy", idle(8), VerdictTwoWay, ""},
		{"all connections in the cache", covered(coverage.Coverage{Counts: coverage.Counts{Survive: 20, Young: 3}}), VerdictTwoWay, ""},
		{"no connections", covered(coverage.Coverage{}), VerdictTwoWay, ""},
		{"connections kept out", covered(coverage.Coverage{Counts: coverage.Counts{Survive: 20, Filtered: 1}, Cause: "line 9"}), VerdictPartial, "1 of 21 connections would not survive a failover: line 9"},
		{"connections missing", covered(coverage.Coverage{Counts: coverage.Counts{Survive: 20, Missing: 2}, Cause: "why"}), VerdictPartial, "2 of 22 connections"},
		{"connections not seen twice", covered(coverage.Coverage{Counts: coverage.Counts{Young: 2}, Pending: true}), VerdictUnknown, "at the first look"},
		{"connections not readable", edited(idle(8), func(e *evidence) { e.coverageErr = errors.New("operation not permitted") }), VerdictUnknown, "could not be read: operation not permitted"},
		{"connections missing and messages lost", edited(covered(coverage.Coverage{Counts: coverage.Counts{Missing: 2}}), func(e *evidence) { e.readings[7].Lost = 9 }), VerdictLosing, "lost on the way"},
		{"states of the peer had to be asked for", refilled(), VerdictLosing, "this node held none of the peer's 34 states"},
		{"states of the peer had to be asked for, and messages are lost", edited(refilled(), func(e *evidence) { e.readings[7].Lost = 9 }), VerdictLosing, "9 messages from the peer lost on the way; this node held none of the peer's 34 states"},
		{"states of the peer had to be asked for, and somebody intrudes", edited(refilled(), func(e *evidence) { e.readings[7].Lost = 1 << 30 }), VerdictLosing, "jumped by 1073741824"},
		{"states of the peer had to be asked for, and the peer loses messages", edited(refilled(), func(e *evidence) { e.wire.NACKs = 3 }), VerdictLosing, "the peer asked 3 times"},
		{"states of the peer had to be asked for, the table is too full, and messages are lost", edited(refilled(), func(e *evidence) { e.readings[7].Direct, e.readings[7].InjectFailed, e.readings[7].Lost = true, 3, 9 }), VerdictPartial, "kernel refused 3 states of the peer"},
		{"connections missing and no word of the peer", edited(quiet(idle(8)), func(e *evidence) { e.coverage = &coverage.Coverage{Counts: coverage.Counts{Missing: 2}} }), VerdictSilent, ""},
		{"service unknown", edited(idle(8), func(e *evidence) { e.serviceErr = errors.New("access denied") }), VerdictUnknown, "access denied"},
		{"service left alone", edited(idle(8), func(e *evidence) { _, e.serviceErr = service.Unmanaged{}.State(t.Context()) }), VerdictUnknown, "use --service auto or direct"},
		{"stopped", edited(idle(8), func(e *evidence) { e.service = service.State{Detail: "failed (Result: exit-code)"} }), VerdictStopped, "exit-code"},
		{"Stats mode", edited(idle(8), func(e *evidence) { e.countersErr = fmt.Errorf("ask: %w", control.ErrStatsMode) }), VerdictStopped, "no Sync section; restart conntrackd"},
		{"statistics only", statistics(), VerdictStopped, "sync is not set up on this node; conntrackd keeps statistics only; set it up: connsync"},
		{"control socket of root", edited(idle(8), func(e *evidence) { e.countersErr = fmt.Errorf("dial: %w", unix.EACCES) }), VerdictUnknown, "only root may ask conntrackd at its control socket; " + trust.Refused("connsync status")},
		{"no answer", edited(idle(8), func(e *evidence) { e.countersErr = context.DeadlineExceeded }), VerdictUnknown, "does not answer"},
		{"nothing read", edited(idle(8), func(e *evidence) { e.readings = nil }), VerdictUnknown, ""},
		{"one reading", idle(1), VerdictUnknown, "still measuring"},
		{"two readings, one second", idle(2), VerdictTwoWay, ""},
		{"started a second ago, no word", edited(quiet(idle(2)), func(e *evidence) { e.service.Since = e.now.Add(-time.Second) }), VerdictUnknown, "just started"},
		{"started a second ago, answered", edited(idle(1), func(e *evidence) {
			e.service.Since = e.now.Add(-time.Second)
			e.wire = wire{Listening: true, Last: e.now, HelloBack: true}
		}), VerdictTwoWay, ""},
		{"one acknowledgement, perhaps of the last run", edited(idle(8), func(e *evidence) { e.wire.ACKs = 1 }), VerdictUnknown, "not acknowledged"},
		{"three heartbeats, and ours seen to leave", edited(idle(8), func(e *evidence) {
			e.wire.Alive, e.wire.Opened, e.wire.OwnPlain = 3, e.now.Add(-7*time.Second), e.now.Add(-time.Second)
		}), VerdictReceivingOnly, "10.77.0.2 does not receive this node's messages: its firewall drops"},
		{"three heartbeats, and none of ours seen", edited(idle(8), func(e *evidence) {
			e.wire.Alive, e.wire.Opened, e.wire.OwnPlain = 3, e.now.Add(-7*time.Second), time.Time{}
		}), VerdictReceivingOnly, "not seen to leave this node: a rule behind the output chains drops them (netdev egress of nft, or tc); on this node, run connsync check"},
		{"three heartbeats, and ours not seen for a moment", edited(idle(8), func(e *evidence) {
			e.wire.Alive, e.wire.Opened, e.wire.OwnPlain = 3, e.now.Add(-7*time.Second), e.now.Add(-3*time.Second)
		}), VerdictReceivingOnly, "10.77.0.2 does not receive this node's messages: its firewall drops"},
		{"two late heartbeats", edited(idle(8), func(e *evidence) { e.wire.Alive = 2 }), VerdictTwoWay, ""},
		{"three heartbeats", edited(idle(8), func(e *evidence) { e.wire.Alive = 3 }), VerdictReceivingOnly, "does not receive this node's messages"},
		{"stuck resend queue", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].ResendQueue = uint64(1000 + i)
			}
		}), VerdictReceivingOnly, "does not receive this node's messages"},
		{"full resend queue of a bulk", edited(idle(8), func(e *evidence) { e.readings[7].ResendQueue = 5000 }), VerdictTwoWay, ""},
		{"acknowledgement window", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].ResendQueue = uint64(280 + i)
			}
		}), VerdictTwoWay, ""},
		{"no listener, traffic", edited(idle(8), func(e *evidence) {
			e.wire = wire{}
			for i := range e.readings {
				e.readings[i].BytesRecv = uint64(i * 260)
			}
		}), VerdictUnknown, "run as root with CAP_NET_RAW"},
		{"no listener, heartbeats only", edited(idle(8), func(e *evidence) {
			e.wire = wire{}
			for i := range e.readings {
				e.readings[i].BytesRecv = uint64(i * 8)
			}
		}), VerdictReceivingOnly, "or it listens on another address; on both nodes, run connsync check"},
		{"silent", quiet(idle(8)), VerdictSilent, "enable sync on the peer"},
		{"silent, own socket elsewhere", edited(quiet(idle(8)), func(e *evidence) {
			e.sockets = Sockets{Address: "0.0.0.0:3780"}
		}), VerdictSilent, "on 0.0.0.0:3780"},
		{"silent, link down", edited(quiet(idle(8)), func(e *evidence) { e.readings[7].Link = "DOWN" }), VerdictSilent, "the sync link sync0 is down; set it up (ip link set sync0 up)"},
		{"silent, own sends fail", edited(quiet(idle(8)), func(e *evidence) { e.readings[7].ErrorsSent = 9 }), VerdictSilent, "cannot be sent"},
		{"own firewall, both ways", edited(quiet(idle(8)), func(e *evidence) {
			e.wire = wire{Listening: true, Last: e.now, Alive: 5}
		}), VerdictSilent, "this node's firewall"},
		{"own firewall, and the peer hears us", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].PacketsRecv = 3600
			}
		}), VerdictSendingOnly, "arrive at sync0 but do not reach conntrackd; let UDP port 3780 from 10.77.0.2 pass this node's firewall"},
		{"another address of this node sends", edited(idle(8), func(e *evidence) {
			e.addressGone = true
			for i := range e.readings {
				e.readings[i].PacketsRecv = 3600
			}
		}), VerdictSendingOnly, "10.77.0.1 is not on sync0 any more; restore it (ip address add 10.77.0.1/24 dev sync0)"},
		{"other mode", growth(func(c *control.Counters) { c.BadHeader = 4 }), VerdictMismatch, "same Mode"},
		{"lost", growth(func(c *control.Counters) { c.Lost = 12 }), VerdictLosing, "12 messages"},
		{"lost long ago", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].Lost = 12
			}
		}), VerdictTwoWay, ""},
		{"receive buffer", edited(growth(func(c *control.Counters) { c.Lost = 12 }), func(e *evidence) { e.drops = 5 }), VerdictLosing, "raise Receive Buffer Size"},
		{"overrun", growth(func(c *control.Counters) { c.Overruns = 1 }), VerdictLosing, "raise Send Buffer Size"},
		{"table full", growth(func(c *control.Counters) { c.NoSpace = 1 }), VerdictLosing, "HashLimit"},
		{"malformed", growth(func(c *control.Counters) { c.Malformed = 1 }), VerdictLosing, "second sender"},
		{"asked to send again", edited(idle(8), func(e *evidence) { e.wire.NACKs = 3 }), VerdictLosing, "asked 3 times"},
		{"table full, size known", edited(growth(func(c *control.Counters) { c.NoSpace = 1 }), func(e *evidence) { e.conntrackMax = 262144 }), VerdictLosing, "HashLimit in conntrackd.conf to 524288"},
		{"larger buffer", edited(growth(func(c *control.Counters) { c.Lost = 12 }), func(e *evidence) { e.drops, e.settings.ReceiveBuffer = 5, 262144 }), VerdictLosing, "to 524288"},
		{"bound elsewhere and both ways", edited(idle(8), func(e *evidence) { e.sockets = Sockets{Address: "0.0.0.0:3780"} }), VerdictTwoWay, "listens on 0.0.0.0:3780"},
		{"peer under load", edited(busyPeer(idle(2)), func(e *evidence) { e.wire.OwnPlain = e.now }), VerdictTwoWay, "answered"},
		{"listener just started", edited(busyPeer(idle(2)), func(e *evidence) {
			e.wire.OwnPlain, e.wire.Opened = e.now, e.now.Add(-time.Second)
		}), VerdictUnknown, "not acknowledged"},
		{"a state after a pause, of a peer in another mode", edited(busyPeer(idle(8)), func(e *evidence) {
			e.wire.OwnPlain, e.wire.Pause = e.now, e.now.Add(-time.Second)
		}), VerdictUnknown, "not acknowledged this node's yet; wait a few seconds; if this continues, use Mode FTFW"},
		{"few states, and nothing confirmed", edited(busyPeer(idle(8)), func(e *evidence) {
			e.wire.OwnPlain, e.readings[7].ResendQueue = e.now, 25
		}), VerdictUnknown, "not acknowledged"},
		{"few states, and nothing confirmed yet", edited(busyPeer(idle(8)), func(e *evidence) {
			e.wire.OwnPlain, e.readings[7].ResendQueue = e.now, 15
		}), VerdictTwoWay, "answered"},
		{"many states, and nothing confirmed", edited(busyPeer(idle(8)), func(e *evidence) {
			e.wire.OwnPlain, e.readings[7].ResendQueue = e.now, 25
			e.readings[7].PacketsRecv += 20
		}), VerdictTwoWay, "answered"},
		{"few states, many of our own", edited(busyPeer(idle(8)), func(e *evidence) {
			e.wire.OwnPlain, e.readings[7].ResendQueue = e.now, 300
			e.readings[7].PacketsSent += 4000
		}), VerdictTwoWay, "answered"},
		{"states, and a pause now", edited(busyPeer(idle(8)), func(e *evidence) {
			e.wire.OwnPlain, e.wire.Last, e.wire.Plain = e.now, e.now.Add(-longPause), e.now.Add(-longPause)
		}), VerdictUnknown, "not acknowledged"},
		{"idle peer that has answered, and does not confirm", edited(busyPeer(idle(2)), func(e *evidence) {
			e.wire.OwnPlain, e.wire.Alive = e.now, 1
		}), VerdictUnknown, "not acknowledged"},
		{"peer under load, nothing of ours seen", busyPeer(idle(2)), VerdictUnknown, "not acknowledged"},
		{"peer under load, our greeting stands", edited(busyPeer(idle(2)), func(e *evidence) {
			e.service.Since, e.wire.OwnHello = e.now.Add(-time.Second), e.now
		}), VerdictUnknown, "not acknowledged"},
		{"peer restarted", edited(busyPeer(idle(2)), func(e *evidence) {
			e.wire.OwnPlain, e.wire.Plain, e.wire.Hellos = e.now, e.now.Add(-time.Second), 1
			e.wire.Last = e.now
		}), VerdictUnknown, "not acknowledged"},
		{"queue of a window and no more", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].ResendQueue = uint64(321 + 40*i)
			}
			e.readings[7].ResendQueue = 0
		}), VerdictTwoWay, ""},
		{"slow node, queue beyond the window", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].ResendQueue = uint64(321 + i)
			}
		}), VerdictReceivingOnly, "does not receive this node's messages"},
		{"other mode, which greets not", edited(idle(8), func(e *evidence) {
			e.wire = wire{Listening: true, Last: e.now, Plain: e.now, OwnHello: e.now, Alive: 5}
		}), VerdictMismatch, "never answers"},
		{"ALARM on both, idle", edited(quiet(idle(8)), func(e *evidence) { e.mode = "ALARM" }), VerdictUnknown, "in mode ALARM an idle peer sends none"},
		{"ALARM on both, link down", edited(quiet(idle(8)), func(e *evidence) {
			e.mode = "ALARM"
			for i := range e.readings {
				e.readings[i].Link = "DOWN"
			}
		}), VerdictSilent, "is down"},
		{"NOTRACK on both", edited(idle(8), func(e *evidence) {
			e.mode, e.wire = "NOTRACK", wire{Listening: true, Last: e.now, Plain: e.now, Alive: 5}
			for i := range e.readings {
				e.readings[i].Reliable = false
			}
		}), VerdictUnknown, "in mode NOTRACK it does not acknowledge this node's"},
		{"ALARM peer with traffic", edited(idle(8), func(e *evidence) {
			e.wire = wire{Listening: true, Last: e.now, Plain: e.now, OwnHello: e.now}
		}), VerdictMismatch, "never answers"},
		{"ALARM peer that was not heard long enough", edited(idle(8), func(e *evidence) {
			e.service.Since = e.now.Add(-2 * time.Second)
			e.wire = wire{Listening: true, Last: e.now, Plain: e.now, OwnHello: e.now}
		}), VerdictUnknown, "not acknowledged"},
		{"file changed and not restarted", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].Reliable = false
			}
		}), VerdictUnknown, "restart conntrackd"},
		{"other port", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Misdirected = []sighting{{From: e.settings.Peer.Addr(), To: e.current(), Port: 3790, Last: e.now, Messages: 1}}
		}), VerdictMismatch, "sends to UDP port 3790, and this node listens on 3780"},
		{"another link of the peer", edited(idle(8), func(e *evidence) {
			e.wire.Misdirected = []sighting{{From: e.settings.Peer.Addr(), To: e.current(), Port: 3790, Last: e.now, Messages: 1}}
		}), VerdictTwoWay, ""},
		{"heard, and refused now", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Refused = e.now
			for i := range e.readings {
				e.readings[i].PacketsRecv = 90
			}
		}), VerdictSilent, "was heard, and refuses UDP port 3780 now: conntrackd ended there"},
		{"silent and refused", edited(quiet(idle(8)), func(e *evidence) { e.wire.Refused = e.now }), VerdictSilent, "refuses UDP port 3780: sync is not enabled there"},
		{"no interface", edited(quiet(idle(8)), func(e *evidence) { e.interfaceGone = true }), VerdictSilent, "interface sync0 no longer exists on this node; restore the interface name"},
		{"no cable", edited(quiet(idle(8)), func(e *evidence) { e.readings[7].Link = "NO-CARRIER" }), VerdictSilent, "the sync link sync0 is NO-CARRIER; look at the cable"},
		{"other port than the file's, and the other's greetings not answered", edited(idle(8), func(e *evidence) {
			e.settings.Port, e.sockets = 3790, Sockets{Address: "10.77.0.1:3780"}
			e.wire = wire{Listening: true, Last: e.now, Plain: e.now, OwnHello: e.now, Alive: 5}
		}), VerdictMismatch, "conntrackd still runs with UDP port 3780, and the file has 3790; restart conntrackd"},
		{"other port than the file's, and the peer sends to the old one", edited(quiet(idle(8)), func(e *evidence) {
			e.settings.Port, e.sockets = 3790, Sockets{Address: "10.77.0.1:3780"}
			e.wire.Misdirected = []sighting{{From: e.settings.Peer.Addr(), To: e.current(), Port: 3780, Last: e.now, Messages: 1}}
		}), VerdictSilent, "conntrackd still runs with UDP port 3780, and the file has 3790; restart conntrackd"},
		{"other address than the file's", edited(idle(8), func(e *evidence) { e.sockets = Sockets{Address: "10.77.0.9:3780"} }), VerdictMismatch, "conntrackd still runs with 10.77.0.9:3780, and the file has 10.77.0.1:3780; restart"},
		{"other address, and the file's is gone", edited(quiet(idle(8)), func(e *evidence) {
			e.sockets, e.addressGone = Sockets{Address: "10.77.0.9:3780"}, true
		}), VerdictSilent, "is not on sync0 any more"},
		{"another transport", edited(idle(8), func(e *evidence) {
			e.settings, e.foreign = conntrackd.Defaults(), "line 4: the dedicated link is Multicast on eth1"
		}), VerdictUnknown, "sync link: line 4: the dedicated link is Multicast on eth1; check it with conntrackd -s, or replace it with a UDP link (connsync apply --replace-transport)"},
		{"file without settings", edited(idle(8), func(e *evidence) { e.settings = conntrackd.Defaults() }), VerdictUnknown,
			"no settings of a UDP sync link: Interface Name, Current IP and Peer IP are missing or cannot be used"},
		{"port 0", edited(idle(8), func(e *evidence) { e.settings.Port = 0 }), VerdictUnknown, "no settings of a UDP sync link: Port is missing or cannot be used"},
		{"off, and port 0", edited(idle(8), func(e *evidence) {
			e.settings.Port, e.service = 0, service.State{}
		}), VerdictStopped, "the settings of the sync link are incomplete: Port is missing or cannot be used"},
		{"silent and gone", edited(quiet(idle(8)), func(e *evidence) { e.peerUnresolved = true }), VerdictSilent, "no host answers"},
		{"heard and refused", edited(idle(8), func(e *evidence) { e.wire.Refused = e.now }), VerdictReceivingOnly, "refuses UDP port 3780 by ICMP"},
		{"refused before it confirmed", edited(idle(8), func(e *evidence) {
			e.wire.Refused, e.wire.Confirmed = e.now.Add(-2*time.Second), e.now.Add(-time.Second)
		}), VerdictTwoWay, ""},
		{"refused a moment after it confirmed", edited(idle(8), func(e *evidence) {
			e.wire.Refused, e.wire.Confirmed = e.now, e.now.Add(-time.Second)
		}), VerdictTwoWay, ""},
		{"errors", growth(func(c *control.Counters) { c.ErrorsSent = 1 }), VerdictLosing, "firewall"},
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

// A daemon that nobody wants to run is no failure; one that was ended otherwise is.
func TestOff(t *testing.T) {
	for name, tt := range map[string]struct {
		e    evidence
		want bool
	}{
		"disabled":                        {evidence{service: service.State{Present: true, Detail: "inactive (dead)"}}, true},
		"not installed":                   {evidence{}, true},
		"runs":                            {evidence{service: service.State{Active: true}}, false},
		"starts at boot":                  {evidence{service: service.State{Enabled: true}}, false},
		"failed":                          {evidence{service: service.State{Detail: "failed (Result: exit-code)"}}, false},
		"killed":                          {evidence{service: service.State{Unbooted: true, Killed: true}}, false},
		"ended, and enabled by a save":    {evidence{service: service.State{Unbooted: true, Ended: true}}, false},
		"being started":                   {evidence{service: service.State{Starting: true}}, false},
		"another conntrackd in its place": {evidence{stranger: service.Daemon{PID: 7}}, false},
		"one that is not the service's":   {evidence{elsewhere: &service.ElsewhereError{PID: 7, Cause: "conntrackd (process 7) is not the one of conntrackd.service", Remedy: "end it"}}, false},
		"could not be read":               {evidence{serviceErr: errors.New("access denied")}, false},
	} {
		h := tt.e.health()
		if h.Off != tt.want {
			t.Errorf("%s: off %t", name, h.Off)
		}
		if e := tt.e.elsewhere; e != nil && (h.Verdict != VerdictUnknown || h.Cause != e.Cause || h.Next != e.Remedy) {
			t.Errorf("%s: %s, %q, %q", name, h.Verdict, h.Cause, h.Next)
		}
		if h.Off && (h.Verdict != VerdictStopped || h.Cause == "" || !strings.Contains(h.Next, "connsync")) {
			t.Errorf("%s: %s, %q, %q", name, h.Verdict, h.Cause, h.Next)
		}
	}
}

func TestRatesAndHeard(t *testing.T) {
	if got := idle(8).rates(); got == nil || got.RecvPackets != 1 {
		t.Errorf("%v of an idle pair", got)
	}
	if got := edited(idle(1), func(e *evidence) { e.service.Since = time.Time{} }).rates(); got != nil {
		t.Errorf("%v of one reading", got)
	}
	o, at := &Observer{}, time.Now()
	o.readings = []control.Counters{{Time: at, PacketsRecv: 3}, {Time: at.Add(time.Second), PacketsRecv: 4}}
	for _, tt := range []struct{ wire, want time.Time }{
		{time.Time{}, at.Add(time.Second)},
		{at.Add(600 * time.Millisecond), at.Add(600 * time.Millisecond)},
		{at.Add(-time.Minute), at.Add(time.Second)},
	} {
		e := &evidence{wire: wire{Last: tt.wire}}
		if o.noteReceived(e); !e.lastReceived.Equal(tt.want) {
			t.Errorf("heard %v after the first reading, want %v", e.lastReceived.Sub(at), tt.want.Sub(at))
		}
	}
}
