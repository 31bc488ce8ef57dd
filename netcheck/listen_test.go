package netcheck

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/lab"
)

// listenIn starts ListenSync in a namespace; its socket stays there.
func listenIn(t *testing.T, ctx context.Context, where *lab.Namespace, ifname string, peer netip.Addr, port uint16) <-chan Datagram {
	t.Helper()
	var out <-chan Datagram
	err := where.Do(func() (err error) {
		out, err = ListenSync(ctx, ifname, peer, port)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// send sends one datagram from a host.
func (n *testNet) send(from *lab.Namespace, source, to, payload string) {
	n.t.Helper()
	err := from.Do(func() error {
		var d net.Dialer
		if source != "" {
			d.LocalAddr = net.UDPAddrFromAddrPort(netip.MustParseAddrPort(source))
		}
		conn, err := d.Dial("udp", to)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(payload))
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// next waits for one datagram.
func next(t *testing.T, in <-chan Datagram) (Datagram, bool) {
	t.Helper()
	select {
	case d, ok := <-in:
		return d, ok
	case <-time.After(time.Minute):
		t.Fatal("nothing was heard in a minute")
		return Datagram{}, false
	}
}

func TestListenSync(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		// A firewall that drops everything does not hide the peer.
		n.nft(n.own, `table inet f {
			chain input {
				type filter hook input priority 0; policy drop;
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
			}
		}`)
		ctx, cancel := context.WithCancel(t.Context())
		heard := listenIn(t, ctx, n.own, "eth1", target.Peer.Addr(), 3780)

		third := n.host("third", "eth1", 0, "10.9.0.3/24", "fd09::3/64")
		n.settle(third)
		own := target.Current.Addr()
		n.send(third, "", at(target.Current), "from another host")
		n.send(n.peer, "", netip.AddrPortFrom(own, 3781).String(), "to another port")
		n.send(n.peer, netip.AddrPortFrom(target.Peer.Addr(), 3780).String(), netip.AddrPortFrom(own, 3781).String(), "from the port")
		n.send(n.peer, "", at(target.Current), "one")
		n.send(n.peer, "", at(target.Current), "")
		n.send(n.peer, netip.AddrPortFrom(target.Peer.Addr(), 4000).String(), at(target.Current), "two")

		for _, want := range []Datagram{
			{Port: 3781, Payload: []byte("to another port")},
			{Port: 3781, Payload: []byte("from the port")},
			{Port: 3780, Payload: []byte("one")},
			{Port: 3780, Payload: []byte{}},
			{Port: 3780, Payload: []byte("two")},
		} {
			wantNext(t, heard, want)
		}
		cancel()
		if d, ok := next(t, heard); ok {
			t.Errorf("heard %q too", d.Payload)
		}
	})
}

// wantNext waits for one datagram and compares it, but for its time.
func wantNext(t *testing.T, in <-chan Datagram, want Datagram) {
	t.Helper()
	begin := time.Now()
	got, _ := next(t, in)
	if got.Time.After(time.Now()) || begin.Sub(got.Time) > time.Minute {
		t.Errorf("heard at %v", got.Time)
	}
	got.Time = time.Time{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("datagram (-want +got):\n%s", diff)
	}
}

// What this node sends is heard as it leaves, cut; what its own firewall drops
// is not; and so is the peer's word that nobody listens.
func TestListenSyncOwn(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		heard := listenIn(t, t.Context(), n.own, "eth1", target.Peer.Addr(), 3999)
		peer := netip.AddrPortFrom(target.Peer.Addr(), 3999)
		n.send(n.own, "", netip.AddrPortFrom(target.Peer.Addr(), 4000).String(), "to another port")
		n.send(n.own, "", peer.String(), "a greeting")
		wantNext(t, heard, Datagram{Own: true, Port: 3999, Payload: []byte("a greeting")})
		wantNext(t, heard, Datagram{Refused: true, Port: 3999})
		n.send(n.own, "", peer.String(), strings.Repeat("x", 1000))
		long, _ := next(t, heard)
		if len(long.Payload) < 16 || len(long.Payload) > 128 || !long.Own {
			t.Errorf("own %v with %d bytes", long.Own, len(long.Payload))
		}
		wantNext(t, heard, Datagram{Refused: true, Port: 3999})
	})
}

// The interface goes down and comes back, and then goes for good.
func TestListenSyncOutlivesTheLink(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	heard := listenIn(t, t.Context(), n.own, "eth1", netip.MustParseAddr("10.9.0.2"), 3780)
	n.run(n.own, "ip", "link", "set", "eth1", "down")
	time.Sleep(50 * time.Millisecond)
	n.run(n.own, "ip", "link", "set", "eth1", "up")
	deadline := time.Now().Add(time.Minute)
	for i := 0; ; i++ {
		n.send(n.peer, "", "10.9.0.1:3780", fmt.Sprint(i))
		select {
		case <-heard:
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatal("nothing was heard after the link came back")
			}
			continue
		}
		break
	}
	n.run(n.own, "ip", "link", "delete", "eth1")
	for deadline := time.After(time.Minute); ; {
		select {
		case _, ok := <-heard:
			if ok {
				continue
			}
		case <-deadline:
			t.Fatal("the channel is open though the interface is no more")
		}
		break
	}
}

func TestListenSyncRefuses(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	err := n.own.Do(func() error {
		if _, err := ListenSync(t.Context(), "eth9", netip.MustParseAddr("10.9.0.2"), 3780); err == nil {
			t.Error("listening on an interface that is not there")
		}
		if _, err := ListenSync(t.Context(), "eth1", netip.Addr{}, 3780); err == nil {
			t.Error("listening to nobody")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

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
	for _, tt := range []struct {
		name string
		in   []byte
		want Datagram
		ok   bool
	}{
		{"whole", in(abc...), Datagram{Port: 3780, Payload: []byte("abc")}, true},
		{"padded", in(append(abc[:11:11], 0, 0)...), Datagram{Port: 3780, Payload: []byte("abc")}, true},
		{"cut", in(abc[:10]...), Datagram{}, false},
		{"cut, our own", own[:len(own)-1], Datagram{Own: true, Port: 3780, Payload: []byte("ab")}, true},
		{"header only", in(abc[:4]...), Datagram{}, false},
		{"empty", nil, Datagram{}, false},
		{"length below the header", in(0, 1, 14, 196, 0, 7, 0, 0, 'a'), Datagram{}, false},
		{"fragment", fragment, Datagram{}, false},
		{"options beyond the end", longer, Datagram{}, false},
		{"port unreachable", icmp(3, 3, own), Datagram{Refused: true, Port: 3780}, true},
		{"prohibited", icmp(3, 13, own), Datagram{Refused: true, Port: 3780}, true},
		{"too big", icmp(3, 4, own), Datagram{}, false},
		{"about nothing", icmp(3, 3, nil), Datagram{}, false},
		{"about another port", icmp(3, 3, between("10.9.0.1", "10.9.0.2", 0, 1, 0, 53, 0, 8, 0, 0)), Datagram{}, false},
	} {
		got, ok := overhearing{netip.MustParseAddr("10.9.0.2"), 3780}.datagram(tt.in)
		if ok != tt.ok {
			t.Errorf("%s: ok %v", tt.name, ok)
			continue
		}
		if diff := cmp.Diff(tt.want, got); ok && diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	v6 := overhearing{netip.MustParseAddr("fd09::2"), 3780}
	for length := range 60 {
		v6.datagram(make([]byte, length)) // must not read beyond the end
	}
}
