package flows

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"connsync/lab"
)

// line is a TCP connection to an echo service.
type line struct {
	net.Conn
	reader *bufio.Reader
}

func newLine(c net.Conn) *line { return &line{c, bufio.NewReader(c)} }

func (l *line) answers(round int, deadline time.Time) bool {
	text := fmt.Sprintf("round %d\n", round)
	l.SetDeadline(deadline)
	if _, err := io.WriteString(l, text); err != nil {
		return false
	}
	for {
		// Answers of earlier rounds that came too late are passed over.
		got, err := l.reader.ReadString('\n')
		if err != nil {
			return false
		}
		if got == text {
			return true
		}
	}
}

// server is a TCP service whose connections end with it.
type server struct {
	net.Listener
	mu    sync.Mutex
	conns map[net.Conn]bool // nil when closed
}

// serve listens in the namespace and hands every connection to handle, which
// returns when it is done with it.
func serve(n *lab.Namespace, addr netip.AddrPort, handle func(net.Conn)) (*server, error) {
	s := &server{conns: map[net.Conn]bool{}}
	err := n.Do(func() (err error) {
		s.Listener, err = net.Listen("tcp", addr.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			if !s.add(c) {
				c.Close()
				return
			}
			go func() {
				handle(c)
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
		}
	}()
	return s, nil
}

func (s *server) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[c] = true
	return true
}

// Close ends the service and its connections.
func (s *server) Close() error {
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	return err
}

func echo(c net.Conn) { io.Copy(c, c) }

// service is where the kind's service is.
func (k Kind) service(port uint16) netip.AddrPort {
	v4, v6 := lab.ServerAddresses()
	if k.IPv6() {
		return netip.AddrPortFrom(v6.Addr(), port)
	}
	return netip.AddrPortFrom(v4.Addr(), port)
}

func dial(ctx context.Context, p *lab.Pair, to netip.AddrPort) (conn net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = p.Client.Do(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", to.String())
		return err
	})
	return conn, err
}

func (s *Set) openTCP(ctx context.Context, p *lab.Pair, count int) error {
	srv, err := serve(p.Server, s.Kind.service(0), echo)
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	to := srv.Addr().(*net.TCPAddr).AddrPort()
	for range count {
		c, err := dial(ctx, p, to)
		if err != nil {
			return err
		}
		s.flows = append(s.flows, newLine(c))
	}
	return nil
}

// halfClosed is a connection that the client has closed towards the server,
// which goes on sending.
type halfClosed struct {
	*line
	clock *ticks
}

// ticks is what a server says again and again.
type ticks struct {
	mu  sync.Mutex
	now int
}

func (t *ticks) next() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now++
	return t.now
}

// answers waits for a tick that was sent after it was called.
func (h *halfClosed) answers(_ int, deadline time.Time) bool {
	after := h.clock.next()
	h.SetDeadline(deadline)
	for {
		text, err := h.reader.ReadString('\n')
		if err != nil {
			return false
		}
		var tick int
		if _, err := fmt.Sscanf(text, "tick %d\n", &tick); err == nil && tick > after {
			return true
		}
	}
}

func (s *Set) openHalfClosed(ctx context.Context, p *lab.Pair, count int) error {
	clock := &ticks{}
	srv, err := serve(p.Server, s.Kind.service(0), func(c net.Conn) {
		io.Copy(io.Discard, c) // until the client has closed
		for {
			if _, err := fmt.Fprintf(c, "tick %d\n", clock.next()); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	for range count {
		c, err := dial(ctx, p, srv.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			return err
		}
		s.flows = append(s.flows, &halfClosed{newLine(c), clock})
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
	}
	return nil
}

// halfOpen is a connection whose client has sent a SYN and not seen the answer
// of the server, which is on its way again and again.
type halfOpen struct {
	opened chan net.Conn // closed without one where it failed
	line   *line
	cancel context.CancelFunc
}

func (h *halfOpen) answers(round int, deadline time.Time) bool {
	if h.line == nil {
		select {
		case c := <-h.opened:
			if c == nil {
				return false
			}
			h.line = newLine(c)
		case <-time.After(time.Until(deadline)):
			return false
		}
	}
	return h.line.answers(round, deadline)
}

func (h *halfOpen) Close() error {
	h.cancel()
	if h.line != nil {
		return h.line.Close()
	}
	if c := <-h.opened; c != nil {
		return c.Close()
	}
	return nil
}

// openHalf keeps the server's answers from the client, on the way from the node
// that has the virtual addresses now. Over the other node they arrive.
func (s *Set) openHalf(ctx context.Context, p *lab.Pair, count int) error {
	srv, err := serve(p.Server, s.Kind.service(0), echo)
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	to := srv.Addr().(*net.TCPAddr).AddrPort()
	active := p.A
	if has, err := p.B.HasVirtual(); err != nil {
		return err
	} else if has {
		active = p.B
	}
	// Protocol 6; SYN and ACK are bits of the byte at 13 of the TCP header.
	if err := p.LAN.Drop(active.Port, fmt.Sprintf("@nh,72,8 6 @th,0,16 %d @th,104,8 & 0x12 == 0x12", to.Port())); err != nil {
		return err
	}
	for range count {
		ctx, cancel := context.WithCancel(context.Background())
		h := &halfOpen{opened: make(chan net.Conn, 1), cancel: cancel}
		s.flows = append(s.flows, h)
		go func() {
			defer close(h.opened)
			_ = p.Client.Do(func() error {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", to.String())
				if err == nil {
					h.opened <- c
				}
				return err
			})
		}()
	}
	return awaitHalfOpen(ctx, active, to, count)
}

// awaitHalfOpen waits until the node has seen the server's answer to each SYN: on a
// busy host they come when no new connection may begin any more.
func awaitHalfOpen(ctx context.Context, m *lab.Member, to netip.AddrPort, count int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		out, err := m.Run(ctx, "conntrack", "-L", "-p", "tcp", "--dport", fmt.Sprint(to.Port()), "--state", "SYN_RECV")
		got := strings.Count(out, "SYN_RECV")
		if got >= count {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has %d of %d connections in SYN_RECV: %w", m.Name(), got, count, errors.Join(err, context.Cause(ctx)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
