package netcheck

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/packet"
)

// allAstray is for a peer whose every reply comes in by another interface: the kernel
// takes what is for one of its addresses on any of them, and the peer sends by the
// interface and to the hardware address that it believes in.
func allAstray(t Target, link Interface, device int) check.Finding {
	current, other := t.Current.Addr().Unmap().WithZone(""), nameOf(device)
	remedy := fmt.Sprintf("on the peer: %s; it has to leave by the interface that is wired to %s here", t.ip("route get %v", current), link.Name)
	if t.Family() == 4 {
		remedy += fmt.Sprintf(". If %s and %s are in one subnet: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2, and on the peer: ip neighbour del %v dev INTERFACE",
			link.Name, other, current)
	}
	return check.Fail(remedy, "%v answers, and every reply comes in by %s, not by %s", t.Peer.Addr().Unmap(), other, link.Name)
}

// viaOther adds to a finding about an answer of the peer that it came in by another
// interface.
func viaOther(f check.Finding, link Interface, device int) check.Finding {
	if device != 0 && device != link.Index {
		f.Detail += fmt.Sprintf("; its answer came in by %s, not by %s", nameOf(device), link.Name)
	}
	return f
}

// openReplies opens a socket that sees the peer's echo replies to this node on every
// interface, also those that its firewall or reverse path filter drops.
func openReplies(t Target) (*listenSocket, error) {
	peer, current := t.Peer.Addr().Unmap().WithZone(""), t.Current.Addr().Unmap().WithZone("")
	source, kind := uint32(packet.IPv4SourceAt), equal{bpf.LoadIndirect{Size: 1}, uint32(ipv4.ICMPTypeEchoReply)}
	carries, protocol := equal{bpf.LoadAbsolute{Off: packet.IPv4ProtocolAt, Size: 1}, unix.IPPROTO_ICMP}, uint16(unix.ETH_P_IP)
	filter := []bpf.Instruction{bpf.LoadMemShift{Off: 0}}
	if peer.Is6() {
		source, kind = packet.IPv6SourceAt, equal{bpf.LoadAbsolute{Off: packet.IPv6HeaderSize, Size: 1}, uint32(ipv6.ICMPTypeEchoReply)}
		carries, protocol = equal{bpf.LoadAbsolute{Off: packet.IPv6NextHeaderAt, Size: 1}, unix.IPPROTO_ICMPV6}, unix.ETH_P_IPV6
		filter = nil
	}
	all := append([]equal{carries, kind}, wordsAt(peer, source)...)
	all = append(all, wordsAt(current, source+uint32(peer.BitLen()/8))...)
	filter = append(append(filter, acceptWhere(keepOwn, all...)...), bpf.RetConstant{Val: 0})
	return openListener(0, protocol, filter, overhearing{})
}

// arrivals are the interfaces by which packets have come in so far.
func (s *listenSocket) arrivals() []int {
	var devices []int
	if s.conn.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return nil
	}
	for b := make([]byte, keepOwn); ; {
		_, from, err := s.conn.Recvfrom(context.Background(), b, 0)
		if err != nil {
			return devices
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_HOST {
			devices = append(devices, link.Ifindex)
		}
	}
}

// nameOf is the name of an interface, or its number where it has gone.
func nameOf(index int) string {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("interface %d", index)
	}
	return link.Attrs().Name
}
