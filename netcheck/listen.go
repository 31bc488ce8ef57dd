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
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Datagram is one UDP datagram as it arrived on the wire.
type Datagram struct {
	Time    time.Time // when it was read
	Source  netip.Addr
	Payload []byte
}

// listenBacklog is how many datagrams wait for a slow reader of the channel;
// after them the kernel's buffer fills, and then the newest are lost.
const listenBacklog = 64

// listenRecheck is how often an interface that went down is looked for.
const listenRecheck = 500 * time.Millisecond

// ListenSync delivers the UDP datagrams that arrive on an interface from peer
// to port, from any source port, until ctx ends or the interface goes away;
// then the channel is closed. It sees them before netfilter does, so also those
// that a firewall on this node drops, it takes none away from the daemon, and
// it sends nothing. It needs CAP_NET_RAW.
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
	protocol, filter := unix.ETH_P_IP, filterIPv4
	if peer.Is6() {
		protocol, filter = unix.ETH_P_IPV6, filterIPv6
	}
	program, err := bpf.Assemble(filter(peer, port))
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	conn, err := packet.Listen(&net.Interface{Index: link.Index, Name: link.Name}, packet.Datagram, protocol, &packet.Config{Filter: program})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", ifname, err)
	}
	out := make(chan Datagram, listenBacklog)
	go func() {
		defer close(out)
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		deliver(ctx, conn, peer, out)
	}()
	return out, nil
}

func deliver(ctx context.Context, conn *packet.Conn, peer netip.Addr, out chan<- Datagram) {
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
		payload, ok := udpPayload(buf[:n], peer.Is4())
		if !ok {
			continue
		}
		select {
		case out <- Datagram{Time: time.Now(), Source: peer, Payload: bytes.Clone(payload)}:
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

const (
	ipv4FragmentAt = 6
	ipv4ProtocolAt = 9
	ipv4SourceAt   = 12
	udpHeaderSize  = 8
	udpLengthAt    = 4
)

// filterIPv4 accepts whole UDP datagrams from peer to port. Offsets count from
// the IP header.
func filterIPv4(peer netip.Addr, port uint16) []bpf.Instruction {
	a := peer.As4()
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: ipv4ProtocolAt, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_UDP, SkipTrue: 8},
		bpf.LoadAbsolute{Off: ipv4SourceAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(a[:]), SkipTrue: 6},
		bpf.LoadAbsolute{Off: ipv4FragmentAt, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 4}, // more fragments, or an offset
		bpf.LoadMemShift{Off: 0},                                    // header length
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(port), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	}
}

// filterIPv6 is filterIPv4 for IPv6.
func filterIPv6(peer netip.Addr, port uint16) []bpf.Instruction {
	a := peer.As16()
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: ipv6NextHeaderAt, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_UDP, SkipTrue: 11},
	}
	for i := range 4 {
		program = append(program,
			bpf.LoadAbsolute{Off: ipv6SourceAt + uint32(4*i), Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(a[4*i:]), SkipTrue: uint8(9 - 2*i)})
	}
	return append(program,
		bpf.LoadAbsolute{Off: ipv6HeaderSize + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(port), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0})
}

// udpPayload takes the headers off a packet that a filter has accepted. The
// length in the UDP header counts: an Ethernet frame may be padded.
func udpPayload(b []byte, v4 bool) ([]byte, bool) {
	header := ipv6HeaderSize
	if v4 {
		if len(b) == 0 {
			return nil, false
		}
		header = int(b[0]&0x0f) * 4
	}
	if len(b) < header+udpHeaderSize {
		return nil, false
	}
	b = b[header:]
	length := int(binary.BigEndian.Uint16(b[udpLengthAt:]))
	if length < udpHeaderSize || length > len(b) {
		return nil, false
	}
	return b[udpHeaderSize:length], true
}
