package netcheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Datagram is one packet between this node and its peer, as it is on the wire.
type Datagram struct {
	Time time.Time // when it was read
	// Own says that this node sent it to the peer. Of such a datagram the
	// first bytes of the payload are kept only.
	Own bool
	// Refused says that this is no datagram but the peer's ICMP answer to one
	// of ours: nobody listens on Port, or a firewall does not let it in.
	Refused bool
	Port    uint16 // the destination port
	Payload []byte // of UDP; nil with Refused
}

// listenBacklog is how many datagrams wait for a slow reader of the channel;
// after them the kernel's buffer fills, and then the newest are lost.
const listenBacklog = 64

// listenRecheck is how often an interface that went down is looked for.
const listenRecheck = 500 * time.Millisecond

// ListenSync delivers, until ctx ends or the interface goes away, when the
// channel is closed: the UDP datagrams from peer to any port of this node, those
// of this node to port of peer, and the peer's word that it refuses them. It
// sees what comes before netfilter does, so also what a firewall on this node
// drops, and what goes after netfilter. It takes none away from the daemon and
// sends nothing. It needs CAP_NET_RAW.
//
// An interface that is down, or goes down, is waited for. IP fragments and
// IPv6 packets with extension headers are left out: conntrackd sends neither.
func ListenSync(ctx context.Context, ifname string, peer netip.Addr, port uint16) (<-chan Datagram, error) {
	peer = peer.Unmap().WithZone("")
	if !peer.IsValid() {
		return nil, fmt.Errorf("listen on %s: no peer", ifname)
	}
	link, err := linkNamed(ifname)
	if err != nil {
		return nil, err
	}
	program, err := bpf.Assemble(filterBetween(peer))
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	// A socket for one protocol would not be shown what this node sends.
	conn, err := packet.Listen(&net.Interface{Index: link.Index, Name: link.Name}, packet.Datagram, unix.ETH_P_ALL, &packet.Config{Filter: program})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", ifname, err)
	}
	out := make(chan Datagram, listenBacklog)
	go func() {
		defer conn.Close() // takes its time
		defer close(out)
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		deliver(ctx, conn, overhearing{peer, port}, out)
	}()
	return out, nil
}

func deliver(ctx context.Context, conn *packet.Conn, between overhearing, out chan<- Datagram) {
	buf := make([]byte, 1<<16)
	for {
		n, _, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, unix.ENETDOWN), errors.Is(err, os.ErrDeadlineExceeded):
			// That the interface went down is said once, that it is no more is
			// not said, and what comes when it is up again is simply read.
			if gone(conn) || conn.SetReadDeadline(time.Now().Add(listenRecheck)) != nil {
				return
			}
			continue
		case err != nil:
			return
		}
		d, ok := between.datagram(buf[:n])
		if !ok {
			continue
		}
		d.Time, d.Payload = time.Now(), bytes.Clone(d.Payload)
		select {
		case out <- d:
		case <-ctx.Done():
			return
		}
	}
}

// gone says that the interface of a packet socket has been removed
// (packet_notifier in net/packet/af_packet.c sets its index to -1).
func gone(conn *packet.Conn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	index := -1
	err = raw.Control(func(fd uintptr) {
		if sa, err := unix.Getsockname(int(fd)); err == nil {
			if ll, ok := sa.(*unix.SockaddrLinklayer); ok {
				index = ll.Ifindex
			}
		}
	})
	return err != nil || index <= 0
}
