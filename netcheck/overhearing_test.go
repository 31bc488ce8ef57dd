package netcheck

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestOverhearing(t *testing.T) {
	t.Parallel()
	between := func(from, to string, tail ...byte) []byte {
		source, destination := netip.MustParseAddr(from), netip.MustParseAddr(to)
		b := []byte{0x45, 9: unix.IPPROTO_UDP, 19: 0}
		copy(b[12:], source.AsSlice())
		copy(b[16:], destination.AsSlice())
		return append(b, tail...)
	}
	in := func(tail ...byte) []byte { return between("10.9.0.2", "10.9.0.1", tail...) }
	abc := []byte{0, 1, 14, 196, 0, 11, 0, 0, 'a', 'b', 'c'}
	icmp := func(kind, code byte, about []byte) []byte {
		b := in(append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, about...)...)
		b[9] = unix.IPPROTO_ICMP
		return b
	}
	own := between("10.9.0.1", "10.9.0.2", abc...)
	fragment := in(abc...)
	fragment[6] = 0x20
	longer := in(abc...)
	longer[0] = 0x4f
	peer, self := netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("10.9.0.1")
	heard := func(payload string) Datagram {
		return Datagram{From: peer, To: self, SourcePort: 1, Port: 3780, Payload: []byte(payload)}
	}
	ours := Datagram{Own: true, From: self, To: peer, SourcePort: 1, Port: 3780, Payload: []byte("ab")}
	refused := Datagram{Refused: true, From: peer, To: self, SourcePort: 1, Port: 3780}
	for _, tt := range []struct {
		name string
		in   []byte
		want Datagram
		ok   bool
	}{
		{"whole", in(abc...), heard("abc"), true},
		{"padded", in(append(abc[:11:11], 0, 0)...), heard("abc"), true},
		{"cut", in(abc[:10]...), Datagram{}, false},
		{"cut, our own", own[:len(own)-1], ours, true},
		{"header only", in(abc[:4]...), Datagram{}, false},
		{"empty", nil, Datagram{}, false},
		{"length below the header", in(0, 1, 14, 196, 0, 7, 0, 0, 'a'), Datagram{}, false},
		{"fragment", fragment, Datagram{}, false},
		{"options beyond the end", longer, Datagram{}, false},
		{"port unreachable", icmp(3, 3, own), refused, true},
		{"prohibited", icmp(3, 13, own), refused, true},
		{"too big", icmp(3, 4, own), Datagram{}, false},
		{"about nothing", icmp(3, 3, nil), Datagram{}, false},
		{"about another port", icmp(3, 3, between("10.9.0.1", "10.9.0.2", 0, 1, 0, 53, 0, 8, 0, 0)), Datagram{}, false},
		{"about a datagram to somebody else", icmp(3, 3, between("10.9.0.1", "10.9.0.3", abc...)), Datagram{}, false},
	} {
		got, ok := overhearing{peer: peer, ports: []uint16{3780}}.datagram(tt.in, tt.want.Own)
		if ok != tt.ok {
			t.Errorf("%s: ok %v", tt.name, ok)
			continue
		}
		if diff := cmp.Diff(tt.want, got, addresses); ok && diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for length := range 60 { // must not read beyond the end
		overhearing{peer: netip.MustParseAddr("fd09::2"), ports: []uint16{3780}}.datagram(make([]byte, length), false)
		overhearing{six: true, ports: []uint16{3780}}.datagram(make([]byte, length), false)
	}
}
