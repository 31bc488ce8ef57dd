package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab"
)

// frames are what is sent in turn: from the peer's address and from others, to the
// port of the sync and to others, whole, forged, cut and refusing.
func frames(from, to net.HardwareAddr, peer, current netip.Addr) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	hello := []byte{0x11, 0x10, 0, 8, 0, 0, 0, 0}
	other := netip.MustParseAddr("10.0.0.77")
	var all [][]byte
	for i := range 256 {
		binary.BigEndian.PutUint32(hello[4:], r.Uint32())
		source := peer
		if i%4 == 3 {
			source = other
		}
		var packet []byte
		switch i % 8 {
		case 0, 3:
			packet = ip(unix.IPPROTO_UDP, source, current, udp(3780, hello))
		case 1:
			packet = ip(unix.IPPROTO_UDP, source, current, udp(3780, noise(8+i)))
		case 2:
			packet = ip(unix.IPPROTO_UDP, source, current, udp(uint16(1024+i), append(hello, noise(100)...)))
		case 4, 7: // a refusal of one of our datagrams
			packet = ip(unix.IPPROTO_ICMP, source, current, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, ip(unix.IPPROTO_UDP, current, peer, udp(3780, nil))...))
		case 5:
			packet = noise(20 + i)
		default:
			packet = ip(unix.IPPROTO_UDP, source, current, udp(3780, noise(40)))[:20+i%20] // cut
		}
		frame := append(append(append([]byte(nil), to...), from...), 0x08, 0)
		all = append(all, append(frame, packet...))
	}
	return all
}

func ip(protocol byte, from, to netip.Addr, body []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0}
	b = append(append(append(b, from.AsSlice()...), to.AsSlice()...), body...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum))
	return b
}

func udp(port uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, port)
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

// sender sends frames from a node onto its sync link.
type sender struct {
	fd   int
	sent atomic.Uint64
}

func newSender(m *lab.Member) (s *sender, err error) {
	s = &sender{}
	err = m.Enter(func() error {
		iface, err := net.InterfaceByName(lab.SyncInterface)
		if err != nil {
			return err
		}
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(s.fd, &unix.SockaddrLinklayer{Ifindex: iface.Index})
	})
	if err != nil {
		return nil, fmt.Errorf("send frames from %s: %w", m.Name(), err)
	}
	return s, nil
}

func (s *sender) close() error { return unix.Close(s.fd) }

// send sends at that rate until ctx ends or that many are sent, where it is not
// zero.
func (s *sender) send(ctx context.Context, all [][]byte, rate int, most uint64) error {
	const pause = 5 * time.Millisecond
	due, began := uint64(0), time.Now()
	for n := uint64(0); ctx.Err() == nil && (most == 0 || n < most); {
		due = uint64(time.Since(began).Seconds() * float64(rate))
		for ; n < due && (most == 0 || n < most); n++ {
			_, err := unix.Write(s.fd, all[n%uint64(len(all))])
			if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("send a frame: %w", err)
			}
			s.sent.Add(1)
			if n%1024 == 0 && ctx.Err() != nil {
				return nil
			}
		}
		// What the host could not do in time is not made up for.
		if late := uint64(rate) / 10; due > n+late {
			began = time.Now().Add(-time.Duration(float64(n) / float64(rate) * float64(time.Second)))
		}
		time.Sleep(pause)
	}
	return nil
}
