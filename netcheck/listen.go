package netcheck

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/socket"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"connsync/netcheck/firewall"
	"connsync/netcheck/packet"
)

// Datagram is one packet that has to do with the sync, as it is on the wire.
type Datagram struct {
	Time time.Time // when it was read
	// Own says that this node sent it to a peer. Of such a datagram the
	// first bytes of the payload are kept only.
	Own bool
	// Refused says that this is no datagram but an ICMP message in the name of a
	// peer about one of ours: nobody listens on Port, or a firewall does not let it in.
	// From and To are those of the ICMP message, the ports those of our datagram.
	Refused          bool
	From, To         netip.Addr
	SourcePort, Port uint16
	Device           string // the interface that it came in by, or left by
	Hardware         string // the hardware address of the sender; blank where the link has none
	Payload          []byte // of UDP; nil with Refused
}

const (
	// listenBacklog is how many datagrams wait for a slow reader of the channel;
	// after them the kernel's buffer fills, and then the newest are lost.
	listenBacklog = 64
	// listenRecheck is how often an interface that went down is looked for.
	listenRecheck = 500 * time.Millisecond
	// strangers is how many datagrams of others than the peers are read in each
	// strangersEvery; more are lost, so that a flood costs nothing but the filter.
	strangers      = 256
	strangersEvery = 100 * time.Millisecond
)

// ListenSync delivers, until ctx ends, when the channel is closed: on the
// interface of each link the UDP datagrams of its peer to any address and port,
// those of this node to the port of the peer or of the group, and ICMP in the peer's name that refuses
// them; and what anybody else, or a peer by another interface, sends to the port of
// a link, on any interface, at a bounded rate. It sees what comes before netfilter
// does, so also what a firewall on this node drops, and what goes after netfilter.
// It takes none away from the daemon and sends nothing. It needs CAP_NET_RAW, and
// the interface of the first link.
//
// An interface that is down, or goes down, is waited for. IP fragments and
// IPv6 packets with extension headers are left out: conntrackd sends neither.
func ListenSync(ctx context.Context, links ...firewall.Flow) (<-chan Datagram, error) {
	sockets, err := listenSockets(links)
	if err != nil {
		for _, s := range sockets {
			s.conn.Close()
		}
		return nil, err
	}
	out := make(chan Datagram, listenBacklog)
	var readers sync.WaitGroup
	for _, s := range sockets {
		readers.Go(func() {
			defer s.conn.Close() // takes its time
			defer context.AfterFunc(ctx, func() { s.conn.Close() })()
			s.deliver(ctx, out)
		})
	}
	go func() {
		readers.Wait()
		close(out)
	}()
	return out, nil
}

// listenSockets opens one socket for each peer on its interface, and one of each
// address family for everybody else on all of them. What was opened before an
// error is returned with it.
func listenSockets(links []firewall.Flow) ([]*listenSocket, error) {
	var sockets []*listenSocket
	var heard []peerOn
	ports := map[int][]uint16{} // by address family
	for i, l := range links {
		peer := l.Peer.Addr().Unmap().WithZone("")
		if !peer.IsValid() && i > 0 {
			continue // a spare link that is none
		}
		if !peer.IsValid() {
			return sockets, fmt.Errorf("listen on %s: no peer", l.Interface)
		}
		ports[l.Family()] = append(ports[l.Family()], l.Port)
		link, err := linkNamed(l.Interface)
		if err != nil && i > 0 {
			continue // a spare link whose interface is gone
		}
		if err != nil {
			return sockets, err
		}
		heard = append(heard, peerOn{peer, link.Index, l.Port, l.Group})
	}
	for i, h := range heard {
		about := overhearing{peer: h.peer}
		first := true
		for j, other := range heard {
			if other.peer == h.peer && other.index == h.index {
				about.ports = append(about.ports, other.port)
				if other.group.IsValid() {
					about.groups = append(about.groups, other.group)
				}
				first = first && i <= j
			}
		}
		if !first {
			continue
		}
		// A socket for one protocol would not be shown what this node sends.
		s, err := openListener(h.index, unix.ETH_P_ALL, filterBetween(h.peer, about.groups), about)
		if err != nil {
			return sockets, err
		}
		s.joinGroups(h.index)
		sockets = append(sockets, s)
	}
	for family, protocol := range map[int]uint16{4: unix.ETH_P_IP, 6: unix.ETH_P_IPV6} {
		if len(ports[family]) == 0 {
			continue
		}
		s, err := openListener(0, protocol, filterOthers(family, ports[family], heard), overhearing{six: family == 6, ports: ports[family]})
		if err != nil {
			return sockets, err
		}
		s.most = strangers
		sockets = append(sockets, s)
	}
	return sockets, nil
}

// listenSocket is a packet socket with a filter.
type listenSocket struct {
	conn  *socket.Conn
	about overhearing
	most  int // how many packets it reads in strangersEvery; zero is all
	names map[int]string
}

func openListener(index int, protocol uint16, filter []bpf.Instruction, about overhearing) (*listenSocket, error) {
	program, err := bpf.Assemble(filter)
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	conn, err := socket.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0, "listen", nil)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	if err = conn.SetBPF(program); err == nil {
		err = conn.Bind(&unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, protocol)), Ifindex: index})
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen on interface %d: %w", index, err)
	}
	return &listenSocket{conn: conn, about: about, names: map[int]string{}}, nil
}

// joinGroups has the card show what is sent to the group of the link, or by a peer with a
// Multicast link beside one of UDP: a card shows only groups that are asked for. No message
// tells the network of it. A link without hardware addresses needs none.
func (s *listenSocket) joinGroups(index int) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for _, group := range append(slices.Clone(s.about.groups), packet.UsualGroup()) {
			request := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_MULTICAST, Alen: 6, Address: packet.HardwareGroup(group)}
			_ = unix.SetsockoptPacketMreq(int(fd), unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &request)
		}
	})
}

// deliver reads until ctx ends or the interface is gone.
func (s *listenSocket) deliver(ctx context.Context, out chan<- Datagram) {
	buf := make([]byte, 1<<16)
	begin, read := time.Now(), 0
	for {
		n, from, err := s.conn.Recvfrom(context.Background(), buf, 0)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, unix.ENETDOWN), errors.Is(err, os.ErrDeadlineExceeded):
			// That the interface went down is said once, that it is no more is
			// not said, and what comes when it is up again is simply read.
			if s.gone() || s.conn.SetReadDeadline(time.Now().Add(listenRecheck)) != nil {
				return
			}
			continue
		case err != nil:
			return
		}
		if d, ok := s.read(buf[:n], from); ok {
			select {
			case out <- d:
			case <-ctx.Done():
				return
			}
		}
		if read++; s.most == 0 || read < s.most {
			continue
		}
		select {
		case <-time.After(time.Until(begin.Add(strangersEvery))):
			begin, read = time.Now(), 0
		case <-ctx.Done():
			return
		}
	}
}

// read reads one packet. What is meant for another host is none of ours.
func (s *listenSocket) read(b []byte, from unix.Sockaddr) (Datagram, bool) {
	link, ok := from.(*unix.SockaddrLinklayer)
	if !ok || link.Pkttype == unix.PACKET_OTHERHOST {
		return Datagram{}, false
	}
	d, ok := s.about.datagram(b, link.Pkttype == unix.PACKET_OUTGOING)
	if !ok {
		return Datagram{}, false
	}
	d.Time, d.Payload, d.Device = time.Now(), bytes.Clone(d.Payload), s.name(link.Ifindex)
	if link.Halen == 6 && link.Hatype == unix.ARPHRD_ETHER {
		d.Hardware = net.HardwareAddr(link.Addr[:link.Halen]).String()
	}
	return d, true
}

// name is the name of an interface, asked for in the socket's own namespace. One
// that is renamed meanwhile keeps its old name for a while.
func (s *listenSocket) name(index int) string {
	if name, ok := s.names[index]; ok {
		return name
	}
	request, err := unix.NewIfreq("")
	if err != nil {
		return ""
	}
	request.SetUint32(uint32(index))
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return ""
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.IoctlIfreq(int(fd), unix.SIOCGIFNAME, request) }); err != nil || failed != nil {
		return ""
	}
	if len(s.names) >= 64 {
		clear(s.names)
	}
	s.names[index] = request.Name()
	return s.names[index]
}

// gone says that the interface of a packet socket has been removed
// (packet_notifier in net/packet/af_packet.c sets its index to -1).
func (s *listenSocket) gone() bool {
	sa, err := s.conn.Getsockname()
	link, ok := sa.(*unix.SockaddrLinklayer)
	return err != nil || !ok || link.Ifindex <= 0
}
