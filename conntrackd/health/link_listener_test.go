package health

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
		{"refused", []Overheard{own(flagAlive | flagHello), {Refused: true, Port: 3780}}, 0, wire{OwnHello: at(1), Refused: at(2)}},
		{"to another port", []Overheard{{Port: 3790, Payload: control(flagAlive | flagHello)}, {Port: 53, Payload: []byte("what is the address of example.org?")}}, 0,
			wire{Elsewhere: at(1), OtherPort: 3790}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := linkListener{port: 3780, opened: start}
			for i, p := range tt.said {
				e.add(at(i+1), p)
			}
			tt.want.Listening, tt.want.Opened = true, start.Add(tt.since)
			if diff := cmp.Diff(tt.want, e.since(start.Add(tt.since), start)); diff != "" {
				t.Errorf("wire (-want +got):\n%s", diff)
			}
		})
	}
	e := linkListener{port: 3780}
	for range 10 * maxHeard {
		e.add(start, peers(flagNACK))
	}
	if len(e.heard) > maxHeard {
		t.Errorf("a flood of requests fills the memory: %d", len(e.heard))
	}
}
