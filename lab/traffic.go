package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const echoPort = 7

// Connections are TCP connections from the client to the server of a pair,
// through whichever node has the virtual addresses.
type Connections struct {
	conns []*connection
	round int
}

type connection struct {
	net.Conn
	reader *bufio.Reader
	broken bool // for Unbroken
}

// Connect opens count connections to the server's echo service.
func (p *Pair) Connect(ctx context.Context, count int) (*Connections, error) {
	c := &Connections{}
	server := netip.AddrPortFrom(serverAddress.Addr(), echoPort).String()
	err := p.Client.Do(func() error {
		var dialer net.Dialer
		for range count {
			conn, err := dialer.DialContext(ctx, "tcp4", server)
			if err != nil {
				return fmt.Errorf("connection %d of %d: %w", len(c.conns)+1, count, err)
			}
			c.conns = append(c.conns, &connection{Conn: conn, reader: bufio.NewReader(conn)})
		}
		return nil
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Alive sends a line over every connection at once and returns how many came
// back within the time given. It is not for concurrent use.
func (c *Connections) Alive(within time.Duration) int {
	c.round++
	line := fmt.Sprintf("round %d\n", c.round)
	deadline := time.Now().Add(within)
	alive := make([]bool, len(c.conns))
	var wait sync.WaitGroup
	for i, conn := range c.conns {
		wait.Go(func() { alive[i] = conn.echoes(line, deadline) })
	}
	wait.Wait()
	count := 0
	for _, a := range alive {
		if a {
			count++
		}
	}
	return count
}

func (c *connection) echoes(line string, deadline time.Time) bool {
	c.SetDeadline(deadline)
	if _, err := io.WriteString(c, line); err != nil {
		return false
	}
	for {
		// Answers of earlier rounds that came too late are passed over.
		got, err := c.reader.ReadString('\n')
		if err != nil {
			return false
		}
		if got == line {
			return true
		}
	}
}

// Ends are the two ends of a connection, the client's first. One of them does not
// tell two connections apart: the kernel gives a local port to several of them
// that go to different places.
type Ends struct{ Source, Destination netip.AddrPort }

// EndsOf returns those of a connected socket of this process.
func EndsOf(c net.Conn) Ends {
	return Ends{netip.MustParseAddrPort(c.LocalAddr().String()), netip.MustParseAddrPort(c.RemoteAddr().String())}
}

// Ends returns those of every connection.
func (c *Connections) Ends() []Ends {
	all := make([]Ends, len(c.conns))
	for i, conn := range c.conns {
		all[i] = EndsOf(conn)
	}
	return all
}

// Close closes every connection.
func (c *Connections) Close() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// Flow is one entry of a node's kernel table, in its original direction.
type Flow struct {
	Ends
	Protocol    uint8         // as in the IP header: 6 is TCP
	Established bool          // TCP only
	Timeout     time.Duration // until the kernel drops it
}

func (f Flow) String() string {
	state := ""
	if f.Established {
		state = " ESTABLISHED"
	}
	return fmt.Sprintf("protocol %d %s -> %s%s, %s left", f.Protocol, f.Source, f.Destination, state, f.Timeout)
}

// tcpEstablished is TCP_CONNTRACK_ESTABLISHED (linux/netfilter/nf_conntrack_tcp.h).
const tcpEstablished = 3

// Flows returns the kernel's connection table in this namespace, IPv4.
func (n *Namespace) Flows() ([]Flow, error) {
	var flows []Flow
	err := n.Do(func() error {
		entries, err := netlink.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
		if err != nil {
			return fmt.Errorf("list connection table: %w", err)
		}
		for _, e := range entries {
			f := Flow{Protocol: e.Forward.Protocol, Timeout: time.Duration(e.TimeOut) * time.Second}
			src, _ := netip.AddrFromSlice(e.Forward.SrcIP)
			dst, _ := netip.AddrFromSlice(e.Forward.DstIP)
			f.Source = netip.AddrPortFrom(src.Unmap(), e.Forward.SrcPort)
			f.Destination = netip.AddrPortFrom(dst.Unmap(), e.Forward.DstPort)
			if tcp, ok := e.ProtoInfo.(*netlink.ProtoInfoTCP); ok {
				f.Established = tcp.State == tcpEstablished
			}
			flows = append(flows, f)
		}
		return nil
	})
	return flows, err
}

// Established returns how many of the connections the node's kernel table
// holds as established.
func (m *Member) Established(c *Connections) (int, error) {
	flows, err := m.Flows()
	if err != nil {
		return 0, err
	}
	known := make(map[Ends]bool, len(flows))
	for _, f := range flows {
		if f.Protocol == unix.IPPROTO_TCP && f.Established {
			known[f.Ends] = true
		}
	}
	count := 0
	for _, ends := range c.Ends() {
		if known[ends] {
			count++
		}
	}
	return count, nil
}

// WaitEstablished waits until the node's kernel table holds every one of the
// connections as established, or the context ends; the error then says how
// many were missing.
func (m *Member) WaitEstablished(ctx context.Context, c *Connections) error {
	for {
		count, err := m.Established(c)
		if err != nil || count == len(c.conns) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has %d of %d connections: %w", m.Name(), count, len(c.conns), context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// echoServer answers every connection with what it says.
type echoServer struct {
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool // nil when closed
}

func serveEcho(n *Namespace) (*echoServer, error) {
	s := &echoServer{conns: map[net.Conn]bool{}}
	err := n.Do(func() (err error) {
		s.listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", echoPort))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("echo service: %w", err)
	}
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

func (s *echoServer) serve(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	if s.conns == nil {
		s.mu.Unlock()
		return
	}
	s.conns[conn] = true
	s.mu.Unlock()
	io.Copy(conn, conn)
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
}

func (s *echoServer) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
	return err
}
