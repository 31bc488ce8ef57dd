package pairtest

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
)

// overheard is one packet between the two nodes, as the sync's evidence wants it.
type overheard struct {
	Own     bool
	Refused bool
	Port    uint16
	Payload []byte
}

// Listen is a health.Listen for tests, in its own way and for IPv4 only. P is
// health.Overheard.
func Listen[P ~struct {
	Own     bool
	Refused bool
	Port    uint16
	Payload []byte
}](ctx context.Context, s conntrackd.Settings) (<-chan P, error) {
	iface, err := net.InterfaceByName(s.Interface)
	if err != nil {
		return nil, err
	}
	const everything = 0x0300 // ETH_P_ALL in network byte order on a little-endian host
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: iface.Index}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	packets := make(chan P, 64)
	go func() {
		defer close(packets)
		defer unix.Close(fd)
		for ctx.Err() == nil {
			b := make([]byte, 2048)
			if n, _, err := unix.Recvfrom(fd, b, 0); err == nil && n >= 28 && b[0] == 0x45 {
				if p, ok := readPacket(b[:n], s); ok {
					packets <- P(p)
				}
			}
		}
	}()
	return packets, nil
}

func readPacket(b []byte, s conntrackd.Settings) (overheard, bool) {
	from, to, transport := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
	port := binary.BigEndian.Uint16(b[22:])
	switch {
	case transport == unix.IPPROTO_UDP && from == s.Peer.Addr():
		return overheard{Port: port, Payload: b[28:]}, true
	case transport == unix.IPPROTO_UDP && to == s.Peer.Addr() && port == s.Port:
		return overheard{Own: true, Port: port, Payload: b[28:]}, true
	case transport == unix.IPPROTO_ICMP && from == s.Peer.Addr() && b[20] == 3 && b[21] == 3 && len(b) >= 52:
		port = binary.BigEndian.Uint16(b[50:])
		return overheard{Refused: true, Port: port}, port == s.Port
	}
	return overheard{}, false
}
