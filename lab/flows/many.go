package flows

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"connsync/lab"
)

// gridPorts is how many ports the service has for many connections of UDP; each
// socket of the client has a connection to every one of them.
const gridPorts = 200

// cell is a connection of UDP that shares its sockets with others: a process may
// not have as many descriptors as there are connections.
type cell struct {
	conn     net.PacketConn
	to       net.Addr
	answered chan int // rounds
}

func (c *cell) answers(round int, deadline time.Time) bool {
	payload := fmt.Append(nil, round)
	for time.Now().Before(deadline) {
		_, _ = c.conn.WriteTo(payload, c.to)
		for end := time.After(time.Second); end != nil; {
			select {
			case got := <-c.answered:
				if got == round {
					return true
				}
			case <-end:
				end = nil
			}
		}
	}
	return false
}

// Close leaves the shared sockets to the set.
func (c *cell) Close() error { return nil }

// openGrid opens count connections of UDP.
func (s *Set) openGrid(p *lab.Pair, count int) error {
	var services []net.PacketConn
	for range gridPorts {
		srv, err := listen(p.Server, "udp", s.Kind.service(0).String())
		if err != nil {
			return err
		}
		s.also = append(s.also, srv)
		services = append(services, srv)
		go reflect(srv, same)
	}
	for len(s.flows) < count {
		c, err := listen(p.Client, "udp", ":0")
		if err != nil {
			return err
		}
		s.also = append(s.also, c)
		cells := map[netip.AddrPort]*cell{}
		for _, srv := range services[:min(gridPorts, count-len(s.flows))] {
			one := &cell{c, srv.LocalAddr(), make(chan int, 8)}
			cells[srv.LocalAddr().(*net.UDPAddr).AddrPort()] = one
			s.flows = append(s.flows, one)
		}
		go hand(c, cells)
	}
	return nil
}

// hand gives what arrives at a socket to the connection that it is of.
func hand(c net.PacketConn, cells map[netip.AddrPort]*cell) {
	buffer := make([]byte, 64)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		addr := from.(*net.UDPAddr).AddrPort()
		var round int
		one := cells[netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())]
		if _, err := fmt.Sscan(string(buffer[:n]), &round); err != nil || one == nil {
			continue
		}
		select {
		case one.answered <- round:
		default: // nobody waits for so many
		}
	}
}
