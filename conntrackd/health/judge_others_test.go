package health

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
)

// stranger is a third host that is heard now.
func stranger(e *evidence, messages, garbage int) sighting {
	return sighting{From: netip.MustParseAddr("10.77.0.66"), To: e.current(), Port: 3780, Device: "sync0", Hardware: "02:00:00:00:00:66",
		Last: e.now, Messages: messages, Garbage: garbage}
}

// withStranger is a pair beside which a third host sends, while the newest reading
// grows.
func withStranger(messages, garbage int, edit func(*control.Counters)) evidence {
	return edited(growth(edit), func(e *evidence) { e.wire.Others = []sighting{stranger(e, messages, garbage)} })
}

// What third hosts send is not the peer's fault, nor a sign of it.
func TestJudgeOthers(t *testing.T) {
	const third = "10.77.0.66 (hardware address 02:00:00:00:00:66), which is not the peer, sends "
	unchanged := func(*control.Counters) {}
	for _, tt := range []struct {
		name        string
		e           evidence
		want        Verdict
		cause, next string
	}{
		{"garbage that does no harm", withStranger(0, 9, unchanged), VerdictTwoWay, "it acknowledges this node's; " + third + "datagrams that are no sync messages to UDP port 3780 on sync0", evidence{}.peerOnly()},
		{"garbage that is kept out", edited(withStranger(0, 9, unchanged), func(e *evidence) { e.keptOut = true }), VerdictTwoWay,
			third + "datagrams that are no sync messages to UDP port 3780 on sync0, and this node's firewall keeps it out", ""},
		{"garbage that is counted", withStranger(0, 9, func(c *control.Counters) { c.Malformed, c.BadHeader = 9, 9 }), VerdictLosing, "conntrackd could not read 9 messages: " + third, evidence{}.peerOnly()},
		{"garbage, and a peer in another mode", edited(withStranger(0, 9, func(c *control.Counters) { c.Malformed, c.BadHeader = 9, 9 }), func(e *evidence) {
			e.wire.ACKs = 0
		}), VerdictMismatch, "another sync mode", "same Mode"},
		{"garbage, and a silent peer", edited(withStranger(0, 9, unchanged), func(e *evidence) {
			e.wire.Last, e.wire.ACKs, e.wire.Opened = time.Time{}, 0, e.now.Add(-time.Minute)
		}), VerdictSilent, "10.77.0.2 has stopped sending; " + third, evidence{}.peerOnly()},
		{"forged hellos", withStranger(5, 0, func(c *control.Counters) { c.Lost = 5_387_683_768 }), VerdictLosing,
			"the sequence number of what arrives jumped by 5387683768, which conntrackd counts as lost messages: " + third, evidence{}.peerOnly()},
		{"forged hellos of somebody who is gone", growth(func(c *control.Counters) { c.Lost = 5_387_683_768 }), VerdictLosing,
			"jumped by 5387683768, which conntrackd counts as lost messages: somebody else sends in the peer's name, or sent", evidence{}.peerOnly()},
		{"forged hellos long ago", edited(idle(8), func(e *evidence) {
			for i := range e.readings {
				e.readings[i].Lost = 5_387_683_768
			}
		}), VerdictTwoWay, "; the counter of lost messages (5387683768) holds a jump of the sequence number, no loss of that size", ""},
		{"the peer's messages are dropped as old", growth(func(c *control.Counters) { c.Before = 6 }), VerdictLosing, "drops the peer's messages, 6 of them", "restart conntrackd"},
		{"one of several messages is old", growth(func(c *control.Counters) { c.Before = 2 }), VerdictTwoWay, "", ""},
		{"the only messages of a short look are dropped as old", edited(idle(3), func(e *evidence) { e.readings[2].Before = 2 }), VerdictLosing, "drops the peer's messages, 2 of them", "restart conntrackd"},
		{"one message out of order", growth(func(c *control.Counters) { c.Before = 1 }), VerdictTwoWay, "", ""},
		{"messages in the peer's name", edited(idle(8), func(e *evidence) {
			e.wire.Senders = []sender{{"02:00:00:00:00:02", e.now}, {"02:00:00:00:00:66", e.now}}
		}), VerdictTwoWay, "messages in the name of 10.77.0.2 come from 2 hardware addresses, 02:00:00:00:00:02 and 02:00:00:00:00:66", evidence{}.peerOnly()},
		{"a peer with a new card", edited(idle(8), func(e *evidence) {
			e.wire.Senders = []sender{{"02:00:00:00:00:02", e.now.Add(-time.Minute)}, {"02:00:00:00:00:03", e.now}}
		}), VerdictTwoWay, "", ""},
		{"forged refusals", edited(idle(8), func(e *evidence) {
			e.wire.Forged = sighting{From: e.settings.Peer.Addr(), Hardware: "02:00:00:00:00:66", Last: e.now}
		}), VerdictTwoWay, "ICMP in the name of 10.77.0.2 refuses what this node did not send", evidence{}.peerOnly()},
		{"refusals of another host", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Refused, e.wire.Refuser, e.peerHardware = e.now, "02:00:00:00:00:66", "02:00:00:00:00:02"
			e.disbelieveForeigners()
		}), VerdictSilent, "10.77.0.2 has sent nothing since conntrackd started; ICMP in the name of 10.77.0.2", "enable sync on the peer"},
		{"refusals of the peer", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Refused, e.wire.Refuser, e.peerHardware = e.now, "02:00:00:00:00:02", "02:00:00:00:00:02"
			e.disbelieveForeigners()
		}), VerdictSilent, "refuses UDP port 3780", "enable sync on the peer"},
		{"another pair's messages, to somebody else", edited(withStranger(0, 9, unchanged), func(e *evidence) {
			e.wire.Others[0].To = netip.MustParseAddr("10.77.0.67")
		}), VerdictTwoWay, "", ""},
		{"by another interface", edited(idle(8), func(e *evidence) { e.wire.Device = "eth0" }), VerdictTwoWay,
			"; the peer's messages arrive at eth0, not at sync0,", "ip route get 10.77.0.1"},
		{"by another interface, where a rule drops them", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Device, e.wire.Last, e.wire.Plain, e.wire.Alive = "eth0", e.now, e.now, 0
		}), VerdictSilent, "arrive at eth0, not at sync0, but do not reach conntrackd", "firewall"},
		{"somebody, and nobody at Peer IP", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Others, e.peerUnresolved = []sighting{stranger(e, 5, 0)}, true
		}), VerdictMismatch, "come from 10.77.0.66 (hardware address 02:00:00:00:00:66) on sync0, and no host answers for Peer IP 10.77.0.2", "set Peer IP on this node to 10.77.0.66"},
		{"somebody, and a silent host at Peer IP", edited(quiet(idle(8)), func(e *evidence) {
			e.wire.Others, e.peerHardware = []sighting{stranger(e, 5, 0)}, "02:00:00:00:00:02"
		}), VerdictMismatch, "and none from Peer IP 10.77.0.2 (hardware address 02:00:00:00:00:02)", "if not, " + evidence{}.peerOnly()},
		{"a single stray message", edited(quiet(idle(8)), func(e *evidence) { e.wire.Others = []sighting{stranger(e, 1, 0)} }), VerdictSilent, third, evidence{}.peerOnly()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.e.sockets.ReceiveBuffer = doubled(tt.e.settings.ReceiveBuffer)
			got := tt.e.health()
			if got.Verdict != tt.want || !strings.Contains(got.Cause, tt.cause) || !strings.Contains(got.Next, tt.next) {
				t.Errorf("verdict %s: %s; next %s\nwant %s: %s; next %s", got.Verdict, got.Cause, got.Next, tt.want, tt.cause, tt.next)
			}
			if tt.e.keptOut && got.Next != "" {
				t.Errorf("next %q where nothing is to be done", got.Next)
			}
			if tt.cause == "" && (got.Next != "" || strings.Contains(got.Cause, ";")) {
				t.Errorf("cause %q and next %q of a pair that is well", got.Cause, got.Next)
			}
		})
	}
}

// Where the time of day was set back since the daemon's start, its start lies in the
// future and its uptime below zero; nothing else is less known for that.
func TestObserveAfterAClockStep(t *testing.T) {
	start := startOf(service.State{MainPID: os.Getpid(), Since: time.Now().Add(time.Hour)})
	if age := time.Since(start); age < 0 || age > time.Hour {
		t.Errorf("this process is %v old", age)
	}
	if start := startOf(service.State{MainPID: -1, Since: time.Now().Add(time.Hour)}); start.After(time.Now()) {
		t.Errorf("a start in the future, %v", start)
	}

	path := t.TempDir() + "/ctl"
	var messages atomic.Int64
	conntracktest.ServeControl(t, path, func(r control.Request) []byte { return steppedBack(t, r, 7+int(messages.Load())) })
	o := &Observer{
		Service: &steady{state: service.State{Active: true, MainPID: os.Getpid(), Since: time.Now().Add(time.Hour)}},
		Client:  control.NewClient(path), Settings: conntracktest.Settings(),
		Sockets: func(int, conntrackd.Settings) (Sockets, error) { return Sockets{Bound: true}, nil },
	}
	o.listener = newListener(o.links(), time.Now())
	for range 3 {
		messages.Add(1)
		o.listener.add(time.Now(), Overheard{From: o.Settings.Peer.Addr(), To: o.Settings.Current.Addr(), Port: 3780,
			Payload: append([]byte{0x1a, byte(flagACK), 0, 16, 0, 0, 0, 1}, make([]byte, 8)...)})
		o.Observe(t.Context())
	}
	if h := o.Observe(t.Context()); h.Verdict != VerdictTwoWay || h.Uptime != 0 {
		t.Errorf("verdict %s, %s; uptime %v", h.Verdict, h.Cause, h.Uptime)
	}
}

// steady is a service whose state does not change.
type steady struct {
	service.Service
	state service.State
}

func (s *steady) State(context.Context) (service.State, error) { return s.state, nil }

// steppedBack answers as a daemon of a minute ago whose host's clock was set back by
// an hour, and that has received as many messages as are given.
func steppedBack(t *testing.T, r control.Request, messages int) []byte {
	name := map[control.Request]string{28: "network", control.RequestCache: "cache-inject", control.RequestRuntime: "runtime", control.RequestLink: "link", 36: "queue"}[r]
	content, err := os.ReadFile(filepath.Join("..", "control", "testdata", "replies", name))
	if err != nil {
		t.Error(err)
	}
	text := regexp.MustCompile(`daemon uptime: .*`).ReplaceAllString(string(content), "daemon uptime: -59 min ")
	return []byte(strings.Replace(text, "7 Pckts recv", fmt.Sprintf("%d Pckts recv", messages), 1))
}

// What only a multicast group meets is said where it is one.
func TestJudgeOfAGroup(t *testing.T) {
	group := func(n int, change func(*evidence)) evidence {
		return edited(idle(n), func(e *evidence) {
			e.settings.Transport, e.settings.MulticastGroup = "multicast", "225.0.0.50"
			change(e)
		})
	}
	misdirected := func(to string, port uint16) func(*evidence) {
		return func(e *evidence) {
			e.wire.Last = time.Time{}
			e.wire.Misdirected = []sighting{{From: e.settings.Peer.Addr(), To: netip.MustParseAddr(to), Port: port, Device: "sync0", Last: e.now, Messages: 9}}
		}
	}
	for _, tt := range []struct {
		name        string
		e           evidence
		want        Verdict
		cause, next string
	}{
		{"healthy", group(8, func(*evidence) {}), VerdictTwoWay, "it acknowledges this node's", ""},
		{"the peer has a UDP link", group(8, misdirected("10.77.0.1", 3780)), VerdictMismatch,
			"10.77.0.2 sends sync messages to 10.77.0.1, UDP port 3780, on sync0: its file has a UDP link, and this node listens on 225.0.0.50, UDP port 3780",
			"on the peer: connsync apply --transport multicast --multicast-group 225.0.0.50"},
		{"the peer has another group", group(8, misdirected("225.0.0.51", 3780)), VerdictMismatch, "on sync0, and this node listens on 225.0.0.50", "the same Multicast Group and Port"},
		{"silence", edited(quiet(group(8, func(*evidence) {})), func(e *evidence) { e.wire = wire{Listening: true} }), VerdictSilent,
			"10.77.0.2 has sent nothing since conntrackd started, or a switch does not forward the group (IGMP or MLD snooping without a querier)", ""},
		{"deaf peer", group(8, func(e *evidence) { e.wire.Alive, e.wire.ACKs = deafRun, 0 }), VerdictReceivingOnly,
			"10.77.0.2 does not receive this node's messages: its firewall drops UDP port 3780, it has not joined group 225.0.0.50, or a switch does not forward the group", ""},
		{"no peer in the file", group(8, func(e *evidence) { e.settings.Peer = netip.Prefix{} }), VerdictUnknown,
			"its file does not say who the peer is", "connsync apply --peer-ip ADDRESS/LENGTH"},
		{"a daemon of the UDP link before", group(8, func(e *evidence) { e.sockets = Sockets{Address: "10.77.0.1:3780"} }), VerdictMismatch,
			"conntrackd still runs with 10.77.0.1:3780, and the file has 225.0.0.50:3780", "restart conntrackd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.e.withOthers(judge(tt.e)); got.Verdict != tt.want || !strings.Contains(got.Cause, tt.cause) || !strings.Contains(got.Next, tt.next) {
				t.Errorf("%+v", got)
			}
		})
	}
}
