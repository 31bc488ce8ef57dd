package flows

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"connsync/lab"
)

// again is how often a datagram is repeated that has no answer yet.
const again = 250 * time.Millisecond

// datagrams is a connection without a handshake. Request makes a packet with
// the payload, and answer returns the payload of what arrived, nil where that is
// nothing of this connection's.
type datagrams struct {
	net.PacketConn
	to      net.Addr
	request func(payload []byte) []byte
	answer  func(packet []byte) []byte
}

func (d *datagrams) answers(round int, deadline time.Time) bool {
	payload := fmt.Appendf(nil, "round %d", round)
	buffer := make([]byte, 2048)
	for time.Now().Before(deadline) {
		// A host with a cut cable may have no way to send; it has later.
		_, _ = d.WriteTo(d.request(payload), d.to)
		end := time.Now().Add(again)
		for time.Now().Before(end) {
			d.SetReadDeadline(end)
			n, _, err := d.ReadFrom(buffer)
			if err == nil && bytes.Equal(d.answer(buffer[:n]), payload) {
				return true
			}
		}
	}
	return false
}

func same(b []byte) []byte { return b }

// listen opens a packet socket in a namespace.
func listen(n *lab.Namespace, network, address string) (c net.PacketConn, err error) {
	err = n.Do(func() error {
		c, err = net.ListenPacket(network, address)
		return err
	})
	return c, err
}

// reflect sends back whatever arrives, as answer makes it; nil is no answer.
func reflect(c net.PacketConn, answer func(packet []byte) []byte) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := answer(buffer[:n]); reply != nil {
			_, _ = c.WriteTo(reply, from)
		}
	}
}

func (s *Set) openUDP(p *lab.Pair, count int) error {
	srv, err := listen(p.Server, "udp", s.Kind.service(0).String())
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	go reflect(srv, same)
	for range count {
		c, err := listen(p.Client, "udp", ":0")
		if err != nil {
			return err
		}
		s.flows = append(s.flows, &datagrams{c, srv.LocalAddr(), same, same})
	}
	return nil
}

func (s *Set) openICMP(p *lab.Pair, count int) error {
	network, number := "ip4:icmp", 1
	var request, reply icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	client, client6 := lab.ClientAddresses()
	if s.Kind == ICMP6 {
		network, number, client = "ip6:ipv6-icmp", 58, client6
		request, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	to := net.IPAddr{IP: s.Kind.service(0).Addr().AsSlice()}
	for i := range count {
		c, err := listen(p.Client, network, client.Addr().String())
		if err != nil {
			return err
		}
		id := 1000 + i
		s.flows = append(s.flows, &datagrams{c, &to, func(payload []byte) []byte {
			m := icmp.Message{Type: request, Body: &icmp.Echo{ID: id, Seq: 1, Data: payload}}
			b, _ := m.Marshal(nil) // the kernel makes the checksum of ICMPv6
			return b
		}, func(b []byte) []byte {
			m, err := icmp.ParseMessage(number, b)
			if err != nil || m.Type != reply {
				return nil
			}
			if e, ok := m.Body.(*icmp.Echo); ok && e.ID == id {
				return e.Data
			}
			return nil
		}})
	}
	return nil
}

// openPortless has one address of the client's for each connection: nothing
// else tells them apart.
func (s *Set) openPortless(p *lab.Pair, count int) error {
	network, header := "ip4:47", []byte{0, 0, 0x08, 0x00}
	if s.Kind == ESP {
		network, header = "ip4:50", []byte{0, 0, 1, 0, 0, 0, 0, 1} // security parameters index, sequence number
	}
	srv, err := listen(p.Server, network, s.Kind.service(0).Addr().String())
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	go reflect(srv, same)
	first := netip.MustParseAddr("10.1.0.100")
	for range count {
		if err := p.AddClientAddress(first); err != nil {
			return err
		}
		c, err := listen(p.Client, network, first.String())
		if err != nil {
			return err
		}
		s.flows = append(s.flows, &datagrams{c, &net.IPAddr{IP: s.Kind.service(0).Addr().AsSlice()},
			func(payload []byte) []byte { return append(append([]byte{}, header...), payload...) },
			func(b []byte) []byte { return b[min(len(header), len(b)):] },
		})
		first = first.Next()
	}
	return nil
}
