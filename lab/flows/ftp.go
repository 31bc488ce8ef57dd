package flows

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"connsync/lab"
)

// closing is a function that ends something.
type closing func() error

// Close calls it.
func (c closing) Close() error { return c() }

// ftpData is a data connection of FTP: one side listens and has told the other
// so over the control connection, which the helper has read.
type ftpData struct {
	accepted chan net.Conn
	listener net.Listener
	dial     func(ctx context.Context) (net.Conn, error)
	line     *line
	answer   net.Conn // the other end, which echoes
}

func (d *ftpData) answers(round int, deadline time.Time) bool {
	if d.line == nil {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		c, err := d.dial(ctx)
		if err != nil {
			return false
		}
		d.line = newLine(c)
		select {
		case d.answer = <-d.accepted:
			go echo(d.answer)
		case <-ctx.Done():
			return false
		}
	}
	return d.line.answers(round, deadline)
}

func (d *ftpData) Close() error {
	if d.listener != nil {
		d.listener.Close()
	}
	if d.answer != nil {
		d.answer.Close()
	}
	if d.line != nil {
		d.line.Close()
	}
	return nil
}

// openFTP opens count control connections, each of which announces one data
// connection.
func (s *Set) openFTP(ctx context.Context, p *lab.Pair, count int) error {
	service := s.Kind.service(21)
	if s.Kind == FTPActive {
		// Both kinds at once need an address each for their port 21.
		service = netip.AddrPortFrom(service.Addr().Next(), service.Port())
		if err := p.AddServerAddress(service.Addr()); err != nil {
			return err
		}
	}
	controls, done := make(chan net.Conn, count), make(chan struct{})
	srv, err := serve(p.Server, service, func(c net.Conn) { controls <- c; <-done })
	if err != nil {
		return err
	}
	s.also = append(s.also, srv, closing(func() error { close(done); return nil }))
	s.Control = &Set{Kind: FTPControl, lost: make([]bool, count)}
	for range count {
		c, err := dial(ctx, p, service)
		if err != nil {
			return err
		}
		s.Control.flows = append(s.Control.flows, newLine(c))
		d := &ftpData{accepted: make(chan net.Conn, 1)}
		s.flows = append(s.flows, d)
		far := <-controls
		words, err := s.listen(p, d, service.Addr())
		if err != nil {
			return err
		}
		if err := say(c, far, s.Kind == FTPActive, words); err != nil {
			return err
		}
		go echo(far)
	}
	return nil
}

// listen has one side listen, and returns what it is to announce.
func (s *Set) listen(p *lab.Pair, d *ftpData, service netip.Addr) (words string, err error) {
	client, _ := lab.ClientAddresses()
	listens, at := p.Server, service
	dials, from := p.Client, client.Addr()
	if s.Kind == FTPActive {
		listens, at, dials, from = dials, from, listens, at
	}
	err = listens.Do(func() (err error) {
		d.listener, err = net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
		return err
	})
	if err != nil {
		return "", err
	}
	to := d.listener.Addr().(*net.TCPAddr).AddrPort()
	d.dial = func(ctx context.Context) (c net.Conn, err error) {
		err = dials.Do(func() error {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
			c, err = dialer.DialContext(ctx, "tcp", to.String())
			return err
		})
		return c, err
	}
	go func() {
		if c, err := d.listener.Accept(); err == nil {
			d.accepted <- c
		}
	}()
	return fmt.Sprintf("%s,%d,%d", strings.ReplaceAll(to.Addr().String(), ".", ","), to.Port()>>8, to.Port()&255), nil
}

// say is the talk on the control connection. The helper reads a line only where
// it has seen the end of the one before.
func say(client, server net.Conn, active bool, words string) error {
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(patience))
		defer c.SetDeadline(time.Time{})
	}
	request, reply := "PASV\r\n", "227 Entering Passive Mode ("+words+")\r\n"
	if active {
		request, reply = "PORT "+words+"\r\n", "200 PORT command successful\r\n"
	}
	for _, turn := range []struct {
		from, to net.Conn
		text     string
	}{
		{server, client, "220 ready\r\n"}, {client, server, "USER lab\r\n"}, {server, client, "230 logged in\r\n"},
		{client, server, request}, {server, client, reply},
	} {
		if _, err := turn.from.Write([]byte(turn.text)); err != nil {
			return err
		}
		if got, err := bufio.NewReader(turn.to).ReadString('\n'); err != nil || got != turn.text {
			return fmt.Errorf("%q arrived as %q: %w", turn.text, got, err)
		}
	}
	return nil
}
