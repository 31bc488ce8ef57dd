package health

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/trust"
)

// FuzzDatagram holds that whatever stands in a datagram, what is read of it fits in
// it, and that what is remembered of it is bounded.
func FuzzDatagram(f *testing.F) {
	hello := []byte{0x11, 0x10, 0, 8, 0, 0, 0, 1}
	for _, b := range [][]byte{nil, {0}, hello, append(hello, hello...), {0x11, 0, 0, 0, 0, 0, 0, 0}, {0x11, 0, 0xff, 0xff, 0, 0, 0, 0}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		headers, err := parseDatagram(payload)
		total := 0
		for _, h := range headers {
			if h.Length < headerSize {
				t.Errorf("a message of %d bytes", h.Length)
			}
			total += h.Length
		}
		if total > len(payload) || err == nil && total != len(payload) || err != nil && !errors.Is(err, errMessage) {
			t.Errorf("%d of %d bytes read: %v", total, len(payload), err)
		}
		l := &linkListener{port: 3780}
		for i := range 3 {
			at := time.Unix(int64(i), 0)
			l.add(at, Overheard{Payload: payload, Port: 3780})
			l.add(at, Overheard{Payload: payload, Port: 3780, Own: true})
			l.add(at, Overheard{Payload: payload, Port: 1})
		}
		if len(l.heard) > maxHeard {
			t.Errorf("%d messages are kept, at most %d", len(l.heard), maxHeard)
		}
		l.since(time.Unix(0, 0), time.Unix(1, 0))
	})
}

// malformed are answers of the kernel about a socket whose attributes end early or
// say that they are longer than they are.
func malformed() [][]byte {
	whole := make([]byte, sizeofReply)
	with := func(attribute ...byte) []byte { return append(append([]byte(nil), whole...), attribute...) }
	return [][]byte{nil, whole[:sizeofReply-1], whole, with(5), with(5, 0), with(5, 0, diagMemory, 0, 1), with(3, 0, 0, 0), with(0xff, 0xff, diagMemory, 0),
		with(5, 0, diagMemory, 0, 1, 5, 0, diagMemory, 0)}
}

// A malformed answer of the kernel is an error, or a socket about which little is
// known, and never a panic.
func TestMalformedSocket(t *testing.T) {
	for _, b := range malformed() {
		if _, err := parseSocket(b); err != nil && !errors.Is(err, conntrackd.ErrCannotLook) && !errors.Is(err, trust.ErrMalformed) {
			t.Errorf("%v: %v", b, err)
		}
	}
}

// FuzzSocket holds the same for every answer.
func FuzzSocket(f *testing.F) {
	for _, b := range malformed() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSocket(b)
		if err == nil && s.local.Port() != binary.BigEndian.Uint16(b[4:]) {
			t.Errorf("port %d", s.local.Port())
		}
		if err == nil && s.local.Addr() == (netip.Addr{}) {
			t.Error("it has no address")
		}
	})
}
