package pairtest

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"connsync/conntrackd"
)

// overheard is one packet, as the sync's evidence wants it.
type overheard struct {
	Own              bool
	Refused          bool
	From, To         netip.Addr
	SourcePort, Port uint16
	Device           string
	Hardware         string
	Payload          []byte
}

// Listen is a health.Listen for tests, in its own way and for IPv4 only: it hears all
// that is UDP or ICMP on every interface. P is health.Overheard.
func Listen[P ~struct {
	Own              bool
	Refused          bool
	From, To         netip.Addr
	SourcePort, Port uint16
	Device           string
	Hardware         string
	Payload          []byte
}](ctx context.Context, links []conntrackd.Settings) (<-chan P, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for _, i := range interfaces {
		names[i.Index] = i.Name
	}
	const everything = 0x0300 // ETH_P_ALL in network byte order on a little-endian host
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything}); err != nil {
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
			n, from, err := unix.Recvfrom(fd, b, 0)
			link, ok := from.(*unix.SockaddrLinklayer)
			if err != nil || !ok || n < 28 || b[0] != 0x45 {
				continue
			}
			p, ok := readPacket(b[:n], links)
			p.Own, p.Device = link.Pkttype == unix.PACKET_OUTGOING, names[link.Ifindex]
			p.Hardware = net.HardwareAddr(link.Addr[:link.Halen]).String()
			if ok {
				packets <- P(p)
			}
		}
	}()
	return packets, nil
}

func readPacket(b []byte, links []conntrackd.Settings) (overheard, bool) {
	p := overheard{From: netip.AddrFrom4([4]byte(b[12:16])), To: netip.AddrFrom4([4]byte(b[16:20]))}
	switch transport := b[9]; {
	case transport == unix.IPPROTO_UDP:
		p.SourcePort, p.Port, p.Payload = binary.BigEndian.Uint16(b[20:]), binary.BigEndian.Uint16(b[22:]), b[28:]
		return p, true
	case transport == unix.IPPROTO_ICMP && b[20] == 3 && b[21] == 3 && len(b) >= 52:
		p.Refused, p.SourcePort, p.Port = true, binary.BigEndian.Uint16(b[48:]), binary.BigEndian.Uint16(b[50:])
		return p, slices.ContainsFunc(links, func(s conntrackd.Settings) bool { return s.Peer.Addr() == p.From })
	}
	return overheard{}, false
}
