package netcheck

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	case <-time.After(2 * time.Second):
		t.Fatal("nothing was heard in two seconds")
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

		for _, want := range []string{"one", "", "two"} {
			begin := time.Now()
			d, _ := next(t, heard)
			if diff := cmp.Diff(want, string(d.Payload)); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			if d.Source != target.Peer.Addr() || d.Time.IsZero() || d.Time.After(time.Now()) || begin.Sub(d.Time) > time.Minute {
				t.Errorf("datagram from %v at %v", d.Source, d.Time)
			}
		}
		cancel()
		begin := time.Now()
		if d, ok := next(t, heard); ok {
			t.Errorf("heard %q too", d.Payload)
		}
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("the channel was closed %v after the context", took)
		}
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
	deadline := time.Now().Add(3 * time.Second)
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
	for deadline := time.After(2 * time.Second); ; {
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

func TestUDPPayload(t *testing.T) {
	t.Parallel()
	v4 := append([]byte{0x45, 0, 0, 31, 19: 0}, 0, 1, 14, 196, 0, 11, 0, 0, 'a', 'b', 'c')
	for _, tt := range []struct {
		name string
		in   []byte
		v4   bool
		want string
		ok   bool
	}{
		{"whole", v4, true, "abc", true},
		{"padded", append(append([]byte{}, v4...), 0, 0, 0), true, "abc", true},
		{"cut", v4[:len(v4)-1], true, "", false},
		{"header only", v4[:24], true, "", false},
		{"empty", nil, true, "", false},
		{"length below the header", append(append([]byte{}, v4[:25]...), 7, 0, 0, 'a', 'b', 'c'), true, "", false},
		{"ipv6 too short", make([]byte, 47), false, "", false},
	} {
		got, ok := udpPayload(tt.in, tt.v4)
		if string(got) != tt.want || ok != tt.ok {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}
