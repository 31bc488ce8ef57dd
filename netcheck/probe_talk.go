package netcheck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/mdlayher/socket"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// talk is a datagram socket from Current IP to the peer through the sync
// interface that is told what became of its packets: ICMP errors reach a
// socket only when it is connected and has asked for them (IP_RECVERR, ip(7)).
type talk struct {
	conn *socket.Conn
	peer netip.Addr
	link int // index of the sync interface
	// astray is the interface by which the newest reply came in that did not by
	// link, and strays how many did not. IP_UNICAST_IF is about sending alone.
	astray, strays int
	// raw is a socket that sees IPv4 headers, and the echoes of others.
	raw bool
	id  int
	buf []byte
}

// refusal is an ICMP error, or the kernel's own, about a packet that was sent.
type refusal struct {
	errno unix.Errno
	// offender is who sent the ICMP error; invalid when this kernel found the
	// error before anything was sent.
	offender netip.Addr
	kind     uint8 // ICMP type and code
	code     uint8
	device   int // by which the ICMP error came in; 0 where that is not known
}

func (r *refusal) Error() string {
	if !r.offender.IsValid() {
		return r.errno.Error()
	}
	return fmt.Sprintf("%v (ICMP type %d code %d from %v)", r.errno, r.kind, r.code, r.offender)
}

func (r *refusal) Unwrap() error { return r.errno }

// prohibited says that a firewall refused, and said so.
func (r *refusal) prohibited() bool {
	if r.offender.Is4() {
		return r.kind == uint8(ipv4.ICMPTypeDestinationUnreachable) && (r.code == 9 || r.code == 10 || r.code == 13)
	}
	// 5 and 6 are "failed ingress/egress policy" and "reject route".
	return r.offender.IsValid() && r.kind == uint8(ipv6.ICMPTypeDestinationUnreachable) && (r.code == 1 || r.code == 5 || r.code == 6)
}

// openEcho opens a talk for echo requests. Without the right to an
// unprivileged one (net.ipv4.ping_group_range, which is empty in a fresh
// network namespace and keeps even root out) it takes a raw socket.
func openEcho(ctx context.Context, t Target, link Interface) (*talk, error) {
	protocol := unix.IPPROTO_ICMP
	if t.Family() == 6 {
		protocol = unix.IPPROTO_ICMPV6
	}
	k, err := openTalk(ctx, t, link, unix.SOCK_DGRAM, protocol, 0)
	if refused := (*refusal)(nil); !errors.As(err, &refused) &&
		(errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EPROTONOSUPPORT)) {
		k, err = openTalk(ctx, t, link, unix.SOCK_RAW, protocol, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open a socket for echo requests: %w", err)
	}
	return k, nil
}

// openUDP opens a talk with the peer's port.
func openUDP(ctx context.Context, t Target, link Interface) (*talk, error) {
	k, err := openTalk(ctx, t, link, unix.SOCK_DGRAM, unix.IPPROTO_UDP, t.Port)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket to the peer: %w", err)
	}
	return k, nil
}

func openTalk(ctx context.Context, t Target, link Interface, kind, protocol int, port uint16) (*talk, error) {
	family := unix.AF_INET
	if t.Family() == 6 {
		family = unix.AF_INET6
	}
	conn, err := socket.Socket(family, kind, protocol, "probe", nil)
	if err != nil {
		return nil, err
	}
	k := &talk{conn: conn, peer: t.Peer.Addr().Unmap().WithZone(""), link: link.Index, raw: kind == unix.SOCK_RAW,
		id: rand.N(1 << 16), buf: make([]byte, link.MTU+256)}
	if err := k.setUp(ctx, t, link, port); err != nil {
		conn.Close()
		return nil, err
	}
	return k, nil
}

// setUp sends through link by IP_UNICAST_IF: SO_BINDTODEVICE would swallow the
// kernel's own errors, which arrive by the loopback interface.
func (k *talk) setUp(ctx context.Context, t Target, link Interface, port uint16) error {
	level, unicast, errs, arrival := unix.SOL_IP, unix.IP_UNICAST_IF, unix.IP_RECVERR, unix.IP_PKTINFO
	if t.Family() == 6 {
		level, unicast, errs, arrival = unix.SOL_IPV6, unix.IPV6_UNICAST_IF, unix.IPV6_RECVERR, unix.IPV6_RECVPKTINFO
	}
	index := make([]byte, 4)
	binary.BigEndian.PutUint32(index, uint32(link.Index))
	if err := k.conn.SetsockoptInt(level, unicast, int(int32(binary.NativeEndian.Uint32(index)))); err != nil {
		return err
	}
	for _, option := range []int{errs, arrival} {
		if err := k.conn.SetsockoptInt(level, option, 1); err != nil {
			return err
		}
	}
	if err := k.conn.Bind(sockaddr(t.Current.Addr(), 0, link.Index)); err != nil {
		return fmt.Errorf("bind to %v: %w", t.Current.Addr(), err)
	}
	_, err := k.conn.Connect(ctx, sockaddr(t.Peer.Addr(), port, link.Index))
	var errno unix.Errno
	if errors.As(err, &errno) {
		return &refusal{errno: errno} // no route, or a forbidden one
	}
	return err
}

// dontFragment forbids fragments, whatever the kernel believes about the path.
func (k *talk) dontFragment() error {
	if k.peer.Is4() {
		return k.conn.SetsockoptInt(unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	}
	return k.conn.SetsockoptInt(unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}

func (k *talk) close() { k.conn.Close() }

func sockaddr(addr netip.Addr, port uint16, index int) unix.Sockaddr {
	addr = addr.Unmap()
	if addr.Is4() {
		return &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}
	}
	sa := &unix.SockaddrInet6{Addr: addr.As16(), Port: int(port)}
	if addr.IsLinkLocalUnicast() {
		sa.ZoneId = uint32(index)
	}
	return sa
}

// echo sends an echo request of the given number of data bytes.
func (k *talk) echo(ctx context.Context, sequence, size int) error {
	var kind icmp.Type = ipv4.ICMPTypeEcho
	if k.peer.Is6() {
		kind = ipv6.ICMPTypeEchoRequest
	}
	// Without a pseudo header the kernel fills in the checksum of ICMPv6.
	b, err := (&icmp.Message{Type: kind, Body: &icmp.Echo{ID: k.id, Seq: sequence, Data: make([]byte, size)}}).Marshal(nil)
	if err != nil {
		return fmt.Errorf("make echo request: %w", err)
	}
	return k.send(ctx, b)
}

// send sends a packet. An ICMP error that is in waiting comes as a *refusal,
// like every error that the kernel has about this packet.
func (k *talk) send(ctx context.Context, b []byte) error {
	_, err := k.conn.Sendmsg(ctx, b, nil, nil, 0)
	return k.explain(err)
}

// hear waits for the next packet from the peer, until ctx ends or something
// comes back as a *refusal. What it returns is valid until the next call. device is
// the interface by which it came in.
func (k *talk) hear(ctx context.Context) (b []byte, device int, err error) {
	control := make([]byte, 128)
	n, cn, _, _, err := k.conn.Recvmsg(ctx, k.buf, control, 0)
	if err != nil {
		return nil, 0, k.explain(err)
	}
	return k.buf[:n], arrival(control[:cn]), nil
}

// hearReply waits for the next echo reply, by whatever interface, and returns its
// sequence number.
func (k *talk) hearReply(ctx context.Context) (sequence, device int, err error) {
	for {
		b, device, err := k.hear(ctx)
		if err != nil {
			return 0, 0, err
		}
		if k.raw && k.peer.Is4() {
			b = b[min(len(b), int(b[0]&0x0f)*4):]
		}
		if sequence, ok := k.reply(b); ok {
			return sequence, device, nil
		}
	}
}

// hearEcho waits for the next echo reply by the sync interface and returns its
// sequence number. Those by another are counted.
func (k *talk) hearEcho(ctx context.Context) (sequence int, err error) {
	for {
		sequence, device, err := k.hearReply(ctx)
		if err != nil || device == k.link {
			return sequence, err
		}
		k.astray, k.strays = device, k.strays+1
	}
}

// arrival reads by which interface a packet came in, from struct in_pktinfo or
// in6_pktinfo; 0 where the kernel did not say.
func arrival(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 4:
			return int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 20:
			return int(binary.NativeEndian.Uint32(m.Data[16:]))
		}
	}
	return 0
}

// reply reads an echo reply to this socket.
func (k *talk) reply(b []byte) (sequence int, ok bool) {
	kind := byte(ipv4.ICMPTypeEchoReply)
	if k.peer.Is6() {
		kind = byte(ipv6.ICMPTypeEchoReply)
	}
	if len(b) < 8 || b[0] != kind || k.raw && int(binary.BigEndian.Uint16(b[4:])) != k.id {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(b[6:])), true
}

// explain looks for an error of the socket in its error queue, where it says
// more.
func (k *talk) explain(err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err
	}
	r := &refusal{errno: errno}
	rc, rcErr := k.conn.SyscallConn()
	if rcErr != nil {
		return r
	}
	rcErr = rc.Control(func(fd uintptr) {
		control := make([]byte, 512)
		for {
			_, cn, _, _, err := unix.Recvmsg(int(fd), nil, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if queued, ok := parseRefusal(control[:cn]); ok && queued.errno == errno {
				queued.device = arrival(control[:cn])
				r = queued
			}
		}
	})
	if rcErr != nil {
		return &refusal{errno: errno}
	}
	return r
}

// parseRefusal reads struct sock_extended_err (linux/errqueue.h), which the
// address of the offender follows.
func parseRefusal(control []byte) (*refusal, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, false
	}
	const size, originLocal = 16, 1
	for _, m := range messages {
		b := m.Data
		v4 := m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if len(b) < size || !v4 && !v6 {
			continue
		}
		r := &refusal{errno: unix.Errno(binary.NativeEndian.Uint32(b)), kind: b[5], code: b[6]}
		if b[4] == originLocal {
			return r, true
		}
		switch offender := b[size:]; { // struct sockaddr_in, sockaddr_in6
		case v4 && len(offender) >= 8:
			r.offender, _ = netip.AddrFromSlice(offender[4:8])
		case v6 && len(offender) >= 24:
			r.offender, _ = netip.AddrFromSlice(offender[8:24])
		}
		return r, true
	}
	return nil, false
}
