package lab

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// BenchmarkReplication measures how long after the client's SYN the kernel of
// the other node has the connection, as a ratio to the time after which the
// client itself has it: below 1, the backup knows a connection before the
// client can use it.
func BenchmarkReplication(b *testing.B) {
	p := benchPair(b)
	entries := watchEntries(b, p.B)
	var connected, replicated []time.Duration
	for b.Loop() {
		port, start, took := dial(b, p)
		connected = append(connected, took)
		replicated = append(replicated, awaitEntry(b, entries, port).Sub(start))
	}
	b.ReportMetric(float64(median(b, replicated))/float64(median(b, connected)), "x-connect")
	b.ReportMetric(float64(median(b, replicated).Microseconds()), "median-µs")
}

// BenchmarkConnect is the cost of the daemons to whoever connects: the time
// for a connection with sync running, as a ratio to the same without.
func BenchmarkConnect(b *testing.B) {
	without, err := NewPair(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer without.Close()
	with := benchPair(b)
	var plain, synced []time.Duration
	for b.Loop() {
		_, _, took := dial(b, without)
		plain = append(plain, took)
		_, _, took = dial(b, with)
		synced = append(synced, took)
	}
	b.ReportMetric(float64(median(b, synced))/float64(median(b, plain)), "x-without-sync")
}

func benchPair(b *testing.B) *Pair {
	b.Helper()
	p, err := NewPair(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	if err := p.StartDaemons(ctx); err != nil {
		b.Fatal(err)
	}
	return p
}

// dial opens a connection and closes it: the client's port, the moment before
// its SYN, and the time until the client had it.
func dial(b *testing.B, p *Pair) (port uint16, start time.Time, took time.Duration) {
	b.Helper()
	dialer := net.Dialer{Control: func(string, string, syscall.RawConn) error {
		start = time.Now()
		return nil
	}}
	server := netip.AddrPortFrom(serverAddress.Addr(), echoPort).String()
	err := p.Client.Do(func() error {
		conn, err := dialer.DialContext(b.Context(), "tcp4", server)
		if err != nil {
			return err
		}
		took = time.Since(start)
		port = conn.LocalAddr().(*net.TCPAddr).AddrPort().Port()
		return conn.Close()
	})
	if err != nil {
		b.Fatal(err)
	}
	return port, start, took
}

// entry is a new entry of a kernel table.
type entry struct {
	port uint16 // the original source's
	seen time.Time
}

// watchEntries subscribes to the new entries of a node's kernel table.
func watchEntries(b *testing.B, m *Member) <-chan entry {
	b.Helper()
	var socket *nl.NetlinkSocket
	err := m.Do(func() (err error) {
		const groupNew = 1 // NFNLGRP_CONNTRACK_NEW (linux/netfilter/nfnetlink.h)
		socket, err = nl.Subscribe(unix.NETLINK_NETFILTER, groupNew)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	// Receive looks at its deadline only when it starts to wait.
	if err := socket.SetReceiveTimeout(&unix.Timeval{Usec: 100_000}); err != nil {
		b.Fatal(err)
	}
	entries, done := make(chan entry, 1024), make(chan struct{})
	stop := make(chan struct{})
	b.Cleanup(func() { close(stop); <-done; socket.Close() })
	go func() {
		defer close(done)
		for {
			messages, _, err := socket.Receive()
			seen := time.Now()
			select {
			case <-stop:
				return
			default:
			}
			if err != nil {
				continue // the timeout; a lost event shows in awaitEntry
			}
			for _, m := range messages {
				if port, ok := sourcePort(m.Data); ok {
					entries <- entry{port, seen}
				}
			}
		}
	}()
	return entries
}

// sourcePort reads a conntrack message (linux/netfilter/nfnetlink_conntrack.h).
func sourcePort(message []byte) (uint16, bool) {
	const generic = 4 // struct nfgenmsg stands before the attributes
	if len(message) < generic {
		return 0, false
	}
	data := message[generic:]
	for _, want := range []uint16{nl.CTA_TUPLE_ORIG, nl.CTA_TUPLE_PROTO, nl.CTA_PROTO_SRC_PORT} {
		attrs, err := nl.ParseRouteAttr(data)
		if err != nil {
			return 0, false
		}
		i := slices.IndexFunc(attrs, func(a syscall.NetlinkRouteAttr) bool {
			return a.Attr.Type&^unix.NLA_F_NESTED == want
		})
		if i < 0 {
			return 0, false
		}
		data = attrs[i].Value
	}
	if len(data) < 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(data), true
}

// awaitEntry returns when the connection's entry was seen.
func awaitEntry(b *testing.B, entries <-chan entry, port uint16) time.Time {
	b.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-entries:
			if e.port == port {
				return e.seen
			}
		case <-timeout:
			b.Fatal("the connection did not reach the other node")
		}
	}
}

func median(b *testing.B, d []time.Duration) time.Duration {
	b.Helper()
	if len(d) == 0 {
		b.Fatal("nothing was measured")
	}
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
