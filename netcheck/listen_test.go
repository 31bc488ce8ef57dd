package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/lab"
	"connsync/netcheck/firewall"
)

// listenIn starts ListenSync in a namespace; its socket stays there.
func listenIn(t *testing.T, ctx context.Context, where *lab.Namespace, links ...firewall.Flow) <-chan Datagram {
	t.Helper()
	var out <-chan Datagram
	err := where.Do(func() (err error) {
		out, err = ListenSync(ctx, links...)
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
		// A child that another test is just starting holds the socket of before for a moment.
		for began := time.Now(); errors.Is(err, unix.EADDRINUSE) && time.Since(began) < time.Minute; {
			time.Sleep(10 * time.Millisecond)
			conn, err = d.Dial("udp", to)
		}
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
		heard := listenIn(t, ctx, n.own, target.Flow)

		third := n.host("third", "eth1", 0, "10.9.0.3/24", "fd09::3/64")
		n.settle(third)
		port := func(p netip.Prefix, port uint16) string { return netip.AddrPortFrom(p.Addr(), port).String() }
		n.send(n.peer, "", port(target.Current, 3781), "to another port")
		n.send(n.peer, port(target.Peer, 3780), port(target.Current, 3781), "from the port")
		n.send(n.peer, "", at(target.Current), "one")
		n.send(n.peer, "", at(target.Current), "")
		n.send(n.peer, port(target.Peer, 4000), at(target.Current), "two")
		n.send(third, "", port(target.Current, 3781), "from another host to another port")

		peer := Datagram{From: target.Peer.Addr(), To: target.Current.Addr(), Device: "eth1", Hardware: n.mac(n.peer, "eth1"), Port: 3780}
		with := func(port uint16, payload string) Datagram {
			d := peer
			d.Port, d.Payload = port, []byte(payload)
			return d
		}
		for _, want := range []Datagram{with(3781, "to another port"), with(3781, "from the port"), with(3780, "one"), with(3780, ""), with(3780, "two")} {
			wantNext(t, heard, want)
		}
		n.send(third, "", at(target.Current), "from another host")
		stranger := with(3780, "from another host")
		stranger.From, stranger.Hardware = addressOn(target.Family(), 3), n.mac(third, "eth1")
		wantNext(t, heard, stranger)
		cancel()
		if d, ok := next(t, heard); ok {
			t.Errorf("heard %q too", d.Payload)
		}
	})
}

// addressOn is an address of a host of the test network.
func addressOn(family, host int) netip.Addr {
	if family == 6 {
		return netip.MustParseAddr(fmt.Sprintf("fd09::%d", host))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.9.0.%d", host))
}

// What belongs to the sync is heard wherever it comes in and goes to.
func TestListenSyncElsewhere(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		n.address(n.own, "eth1", "10.9.0.11/24")
		n.address(n.own, "eth1", "fd09::11/64")
		n.address(n.peer, "eth1", "10.9.0.12/24")
		n.address(n.peer, "eth1", "fd09::12/64")
		n.settle(n.own, n.peer)
		spare := target.Flow
		spare.Port = 3785
		heard := listenIn(t, t.Context(), n.own, target.Flow, spare)
		peer := Datagram{From: target.Peer.Addr(), To: target.Current.Addr(), Port: 3780, Device: "eth1", Hardware: n.mac(n.peer, "eth1")}
		with := func(payload string, edit func(*Datagram)) Datagram {
			d := peer
			d.Payload = []byte(payload)
			edit(&d)
			return d
		}
		group := map[int]string{4: "225.0.0.50", 6: "ff02::50%eth1"}[target.Family()]
		second, first := netip.AddrPortFrom(addressOn(target.Family(), 12), 4000).String(), netip.AddrPortFrom(target.Peer.Addr(), 4000).String()

		n.send(n.peer, first, netip.AddrPortFrom(addressOn(target.Family(), 11), 3780).String(), "to the other address")
		wantNext(t, heard, with("to the other address", func(d *Datagram) { d.To = addressOn(target.Family(), 11) }))
		n.send(n.peer, second, at(target.Current), "from a second address")
		wantNext(t, heard, with("from a second address", func(d *Datagram) { d.From = addressOn(target.Family(), 12) }))
		n.send(n.peer, first, netip.AddrPortFrom(target.Current.Addr(), 3785).String(), "of the spare link")
		wantNext(t, heard, with("of the spare link", func(d *Datagram) { d.Port = 3785 }))
		if target.Family() == 4 {
			n.run(n.peer, "ip", "route", "add", group, "dev", "eth1", "src", "10.9.0.2")
		}
		n.send(n.peer, first, netip.AddrPortFrom(netip.MustParseAddr(group), 3780).String(), "to a group")
		wantNext(t, heard, with("to a group", func(d *Datagram) { d.To = netip.MustParseAddr(group).WithZone("") }))
		n.plug(n.own, "second", "eth0", 0)
		// The peer takes our other interface for the one that has the address.
		n.run(n.peer, "ip", "neighbour", "replace", target.Current.Addr().String(), "lladdr", n.mac(n.own, "eth0"), "dev", "eth1", "nud", "permanent")
		for deadline := time.Now().Add(time.Minute); len(heard) == 0; time.Sleep(20 * time.Millisecond) { // the switch takes its time
			n.send(n.peer, first, at(target.Current), "by another interface")
			if time.Now().After(deadline) {
				t.Fatal("nothing was heard by eth0")
			}
		}
		wantNext(t, heard, with("by another interface", func(d *Datagram) { d.Device = "eth0" }))
	})
}

// With a group, what this node sends to it is heard as its own, what the peer sends to it
// as the peer's, and what a third host sends there once.
func TestListenSyncGroup(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		third := n.host("third", "eth1", 0, "10.9.0.3/24", "fd09::3/64")
		n.settle(n.own, n.peer, third)
		group := map[int]string{4: "239.1.2.3", 6: "ff05::50"}[target.Family()]
		for _, h := range []*lab.Namespace{n.own, n.peer, third} {
			n.run(h, "ip", "route", "add", group, "dev", "eth1", "table", map[int]string{4: "main", 6: "local"}[target.Family()])
		}
		target.Group = netip.MustParseAddr(group)
		heard := listenIn(t, t.Context(), n.own, target.Flow)
		to := netip.AddrPortFrom(target.Group, 3780).String()
		from := func(a netip.Addr) string { return netip.AddrPortFrom(a, 4000).String() }
		want := Datagram{To: target.Group, Port: 3780, Device: "eth1"}
		for _, tt := range []struct {
			who  *lab.Namespace
			addr netip.Addr
			own  bool
		}{{n.own, target.Current.Addr(), true}, {n.peer, target.Peer.Addr(), false}, {third, addressOn(target.Family(), 3), false}, {n.peer, target.Peer.Addr(), false}} {
			n.send(tt.who, from(tt.addr), to, "to the group")
			d := want
			d.From, d.Own, d.Hardware, d.Payload = tt.addr, tt.own, n.mac(tt.who, "eth1"), []byte("to the group")
			wantNext(t, heard, d)
		}
	})
}

// A flood of others is read at a bounded rate, and keeps no message of the peer
// from being heard.
func TestListenSyncFlood(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	third := n.host("third", "eth1", 0, "10.9.0.3/24")
	heard := listenIn(t, t.Context(), n.own, n.families[4].Flow)
	n.listen(n.own, "10.9.0.1:3780")
	const flood = 200_000
	begin := time.Now()
	err := third.Do(func() error {
		conn, err := net.Dial("udp", "10.9.0.1:3780")
		if err != nil {
			return err
		}
		defer conn.Close()
		for range flood {
			if _, err := conn.Write([]byte("garbage")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	n.send(n.peer, "", "10.9.0.1:3780", "the peer")
	strangersHeard := 0
	for {
		d, _ := next(t, heard)
		if d.From == netip.MustParseAddr("10.9.0.2") {
			break
		}
		strangersHeard++
	}
	t.Logf("measured: %d of %d datagrams in %v were read", strangersHeard, flood, took)
	if most := strangers * (3 + int(time.Since(begin)/strangersEvery)); strangersHeard > most {
		t.Errorf("%d datagrams of a flood were read in %v, at most %d should be", strangersHeard, time.Since(begin), most)
	}
}

// addresses compares addresses as a whole.
var addresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// wantNext waits for one datagram and compares it, but for its time.
func wantNext(t *testing.T, in <-chan Datagram, want Datagram) {
	t.Helper()
	begin := time.Now()
	got, _ := next(t, in)
	if got.Time.After(time.Now()) || begin.Sub(got.Time) > time.Minute {
		t.Errorf("heard at %v", got.Time)
	}
	if got.SourcePort == 0 {
		t.Errorf("no source port: %+v", got)
	}
	got.Time, got.SourcePort = time.Time{}, 0
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Errorf("datagram (-want +got):\n%s", diff)
	}
}

// What this node sends is heard as it leaves, cut; what its own firewall drops
// is not; and so is the peer's word that nobody listens.
func TestListenSyncOwn(t *testing.T) {
	t.Parallel()
	eachFamily(t, 0, func(t *testing.T, n *testNet, target Target) {
		flow := target.Flow
		flow.Port = 3999
		heard := listenIn(t, t.Context(), n.own, flow)
		peer := netip.AddrPortFrom(target.Peer.Addr(), 3999)
		n.send(n.own, "", netip.AddrPortFrom(target.Peer.Addr(), 4000).String(), "to another port")
		n.send(n.own, "", peer.String(), "a greeting")
		own := Datagram{Own: true, From: target.Current.Addr(), To: target.Peer.Addr(), Port: 3999, Device: "eth1", Payload: []byte("a greeting"), Hardware: n.mac(n.own, "eth1")}
		refused := Datagram{Refused: true, From: target.Peer.Addr(), To: target.Current.Addr(), Port: 3999, Device: "eth1", Hardware: n.mac(n.peer, "eth1")}
		wantNext(t, heard, own)
		wantNext(t, heard, refused)
		n.send(n.own, "", peer.String(), strings.Repeat("x", 1000))
		long, _ := next(t, heard)
		if len(long.Payload) < 16 || len(long.Payload) > 128 || !long.Own {
			t.Errorf("own %v with %d bytes", long.Own, len(long.Payload))
		}
		wantNext(t, heard, refused)
	})
}

// The interface goes down and comes back, and then is made again.
func TestListenSyncOutlivesTheLink(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	heard := listenIn(t, t.Context(), n.own, n.families[4].Flow)
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
	// What comes in its place is another interface of that name.
	n.run(n.own, "ip", "link", "delete", "eth1")
	n.plug(n.own, "again", "eth1", 0, own4)
	n.run(n.peer, "ip", "neighbour", "flush", "dev", "eth1")
	for i := 0; ; i++ {
		n.send(n.peer, "", "10.9.0.1:3780", fmt.Sprint("again ", i))
		select {
		case d := <-heard:
			if !strings.HasPrefix(string(d.Payload), "again") || d.Device != "eth1" {
				continue
			}
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatal("nothing was heard after the interface was made again")
			}
			continue
		}
		break
	}
}

func TestListenSyncRefuses(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 0)
	err := n.own.Do(func() error {
		missing, nobody := n.families[4].Flow, n.families[4].Flow
		missing.Interface, nobody.Peer = "eth9", netip.Prefix{}
		if _, err := ListenSync(t.Context(), missing); err == nil {
			t.Error("listening on an interface that is not there")
		}
		if _, err := ListenSync(t.Context(), nobody); err == nil {
			t.Error("listening to nobody")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
