package health

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
)

func TestLinkListener(t *testing.T) {
	control := func(flags flags) []byte {
		if flags.has(flagACK) || flags.has(flagNACK) {
			return append([]byte{0x1a, byte(flags), 0, 16, 0, 0, 0, 1}, make([]byte, 8)...)
		}
		return []byte{0x1a, byte(flags), 0, 8, 0, 0, 0, 1}
	}
	state := append([]byte{0x10, 0, 0, 20, 0, 0, 0, 1}, make([]byte, 12)...)
	of := func(payload []byte) Overheard { return Overheard{Port: 3780, Payload: payload} }
	peers := func(flags flags) Overheard { return Overheard{Port: 3780, Payload: control(flags)} }
	own := func(flags flags) Overheard { return Overheard{Own: true, Port: 3780, Payload: control(flags)[:8]} }
	third := netip.MustParseAddr("10.9.0.3")
	start := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	tests := []struct {
		name  string
		said  []Overheard // one a second, the first a second after the start
		since time.Duration
		want  wire
	}{
		{"nothing", nil, 0, wire{}},
		{"contact", []Overheard{peers(flagAlive | flagHello), peers(flagACK | flagHello | flagHelloBack), peers(flagACK)}, 0,
			wire{Last: at(3), Plain: at(3), ACKs: 1, Confirmed: at(3), HelloBack: true, Hellos: 2}},
		{"not heard", []Overheard{peers(flagACK), peers(flagAlive), peers(flagAlive), peers(flagAlive)}, 0,
			wire{Last: at(4), Plain: at(4), ACKs: 1, Confirmed: at(1), Alive: 3}},
		{"heard again", []Overheard{peers(flagAlive), peers(flagAlive), peers(flagNACK)}, 0,
			wire{Last: at(3), Plain: at(3), ACKs: 1, NACKs: 1, Confirmed: at(3)}},
		{"of the last run", []Overheard{peers(flagACK | flagHelloBack), own(0), {Port: 3780, Payload: state}}, 2 * time.Second,
			wire{Last: at(3), Plain: at(3), Pause: at(3)}},
		{"states, one after a pause", []Overheard{of(state), {}, of(state), of(state), {}, {}, peers(flagACK)}, 0,
			wire{Last: at(7), Plain: at(7), Pause: at(3), ACKs: 1, Confirmed: at(7)}},
		{"a port probe and rubbish", []Overheard{{Port: 3780}, {Port: 3780, Payload: []byte("hello, is anybody there?")}, {Own: true, Port: 3780, Payload: []byte("hello")}}, 0, wire{}},
		{"we greet, and are answered", []Overheard{own(flagAlive | flagHello), own(flagACK | flagHello), own(flagACK)}, 0,
			wire{OwnHello: at(2), OwnPlain: at(3)}},
		{"refused", []Overheard{own(flagAlive | flagHello), {Refused: true, Port: 3780, Hardware: "a"}}, 0,
			wire{OwnHello: at(1), Refused: at(2), Refuser: "a"}},
		{"refused, and nothing was seen to leave", []Overheard{{Refused: true, Port: 3780}}, 0, wire{Refused: at(1)}},
		{"refusal of what was not sent", []Overheard{own(flagAlive | flagHello), {Refused: true, SourcePort: 77, Port: 3780, Hardware: "a"}}, 0,
			wire{OwnHello: at(1), Forged: sighting{Port: 3780, Hardware: "a", Last: at(2)}}},
		{"to another port", []Overheard{{Port: 3790, Payload: control(flagAlive | flagHello)}, {Port: 53, Payload: []byte("what is the address of example.org?")}}, 0,
			wire{Misdirected: []sighting{{Port: 3790, Last: at(1), Messages: 1, FTFW: true}}}},
		{"by another interface, and from two hosts", []Overheard{
			{Port: 3780, Payload: control(flagACK), Device: "eth1", Hardware: "a"}, {Port: 3780, Payload: control(flagACK), Device: "eth0", Hardware: "b"},
		}, 0, wire{Last: at(2), Plain: at(2), ACKs: 2, Confirmed: at(2), Device: "eth0", Senders: []sender{{"a", at(1)}, {"b", at(2)}}}},
		{"others", []Overheard{
			{From: third, Port: 3780, Payload: []byte("garbage")}, {From: third, Port: 3780, Payload: control(flagAlive)},
			{From: third.Next(), Port: 3780, Payload: control(flagACK)}, {From: third.Next(), Port: 3780, Payload: control(flagACK)}, {From: third, Port: 3780},
		}, 0, wire{Others: []sighting{
			{From: third.Next(), Port: 3780, Last: at(4), Messages: 2, FTFW: true}, {From: third, Port: 3780, Last: at(2), Messages: 1, Garbage: 1},
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := listener{links: []*linkListener{{port: 3780, opened: start}}}
			for i, p := range tt.said {
				e.add(at(i+1), p)
			}
			tt.want.Listening, tt.want.Opened = true, start.Add(tt.since)
			if diff := cmp.Diff(tt.want, e.since(0, start.Add(tt.since), start), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("wire (-want +got):\n%s", diff)
			}
		})
	}
}

// By multicast the messages of both nodes go to the group; what the peer sends to this
// node's address is misdirected.
func TestListenerOfAGroup(t *testing.T) {
	s := conntracktest.Settings()
	s.Transport, s.MulticastGroup = "multicast", "225.0.0.50"
	start := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	l := newListener([]conntrackd.Settings{s}, start)
	hello := []byte{0x1a, byte(flagAlive | flagHello), 0, 8, 0, 0, 0, 1}
	peer := Overheard{From: s.Peer.Addr(), To: s.Group(), Port: s.Port, Payload: hello}
	own := Overheard{Own: true, From: s.Current.Addr(), To: s.Group(), Port: s.Port, Payload: hello}
	toAddress := peer
	toAddress.To = s.Current.Addr()
	at := start.Add(time.Second)
	for _, p := range []Overheard{peer, own, toAddress} {
		l.add(at, p)
	}
	want := wire{Listening: true, Opened: start, Last: at, Hellos: 1, Alive: 1, OwnHello: at,
		Misdirected: []sighting{{From: s.Peer.Addr(), To: s.Current.Addr(), Port: s.Port, Last: at, Messages: 1, FTFW: true}}}
	if diff := cmp.Diff(want, l.since(0, start, start), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("wire (-want +got):\n%s", diff)
	}
}

// Whatever is heard, a listener keeps little of it, and the loudest.
func TestListenerIsBounded(t *testing.T) {
	start := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	nack := append([]byte{0x1a, byte(flagNACK), 0, 16, 0, 0, 0, 1}, make([]byte, 8)...)
	k := &linkListener{port: 3780}
	l := listener{links: []*linkListener{k}}
	for i := range 10 * maxHeard {
		hardware := fmt.Sprint(i)
		l.add(start, Overheard{Port: 3780, Payload: nack, Hardware: hardware})
		l.add(start, Overheard{Own: true, Port: 3780, SourcePort: uint16(i), Payload: nack})
		l.add(start, Overheard{Port: 3790 + uint16(i), Payload: nack})
		from := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if i%100 == 0 {
			l.add(start, Overheard{From: netip.MustParseAddr("10.9.0.3"), Port: 3780, Payload: nack})
		}
		l.add(start, Overheard{From: from, Port: 3780, Payload: nack})
	}
	for what, got := range map[string][2]int{
		"messages": {len(k.heard), maxHeard}, "hardware addresses": {len(k.senders), maxSenders}, "ports": {len(k.ownPorts), maxSenders},
		"destinations": {len(k.elsewhere), maxSightings}, "others": {len(l.others), maxSightings},
	} {
		if got[0] > got[1] {
			t.Errorf("a flood fills the memory with %d %s", got[0], what)
		}
	}
	if others := l.since(0, start.Add(-time.Second), start).Others; others[0].From != netip.MustParseAddr("10.9.0.3") || others[0].Messages != 103 {
		t.Errorf("the loudest of the others is %+v", others[0])
	}
}
