package flows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"connsync/lab"
)

const sipPort = 5060

// openSIP opens count calls: each has told both sides in SIP where the other one's media
// arrive, which the helper has read, and no media were sent yet.
func (s *Set) openSIP(ctx context.Context, p *lab.Pair, count int) error {
	service := s.Kind.service(sipPort)
	media := map[string]netip.AddrPort{} // of the server's side, by Call-ID
	srv, err := listen(p.Server, "udp", service.String())
	if err != nil {
		return err
	}
	s.also = append(s.also, srv)
	s.Control = &Set{Kind: SIPControl, lost: make([]bool, count)}
	calls := make([]call, count)
	for i := range calls {
		c := &calls[i]
		c.id = fmt.Sprint("call-", i)
		if err := c.listen(p, service); err != nil {
			return errors.Join(err, c.Close())
		}
		media[c.id] = addrPort(c.there)
		s.Control.flows = append(s.Control.flows, &datagrams{c.signals, srv.LocalAddr(), same, same})
		// The caller speaks first. Of what a call announces the kernel takes one expectation
		// from conntrackd, the one for the media that go to the server: it gets them as
		// expectations of signalling, of which there is one.
		s.flows = append(s.flows, &datagrams{c.here, c.there.LocalAddr(), same, same})
		s.also = append(s.also, c.there)
		go reflect(c.there, same)
	}
	go reflect(srv, func(packet []byte) []byte { return sipAnswer(packet, media) })
	for _, c := range calls {
		if err := c.invite(ctx, srv.LocalAddr()); err != nil {
			return err
		}
	}
	return nil
}

// call are the sockets of one: of the client's signalling, and of the media of both sides.
type call struct {
	id                   string
	signals, here, there net.PacketConn
}

func (c *call) listen(p *lab.Pair, service netip.AddrPort) (err error) {
	client, _ := lab.ClientAddresses()
	if c.signals, err = listen(p.Client, "udp", netip.AddrPortFrom(client.Addr(), 0).String()); err != nil {
		return err
	}
	if c.here, err = listenEven(p.Client, client.Addr()); err != nil {
		return err
	}
	c.there, err = listenEven(p.Server, service.Addr())
	return err
}

// Close is for a call that is only half made: the others are the set's.
func (c *call) Close() error {
	var errs []error
	for _, conn := range []net.PacketConn{c.signals, c.here, c.there} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}

// listenEven opens a socket on an even port, as RTP has it: the next one is that of RTCP
// (RFC 3550, section 11).
func listenEven(n *lab.Namespace, at netip.Addr) (net.PacketConn, error) {
	for {
		c, err := listen(n, "udp", netip.AddrPortFrom(at, 0).String())
		if err != nil || addrPort(c).Port()%2 == 0 {
			return c, err
		}
		defer c.Close() // or it may be given again
	}
}

func addrPort(c net.PacketConn) netip.AddrPort {
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// invite sends the request until it is answered, and acknowledges the answer (RFC 3261,
// section 17.1.1).
func (c *call) invite(ctx context.Context, to net.Addr) error {
	from := addrPort(c.signals)
	request := func(method, body string) []byte {
		return fmt.Appendf(nil, "%[1]s sip:lab@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK-%[4]s\r\nMax-Forwards: 70\r\n"+
			"From: <sip:client@%[5]s>;tag=1\r\nTo: <sip:lab@%[2]s>\r\nCall-ID: %[4]s\r\nCSeq: 1 %[1]s\r\nContact: <sip:client@%[3]s>\r\n%[6]s",
			method, to, from, c.id, from.Addr(), body)
	}
	buffer := make([]byte, 2048)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; {
		if _, err := c.signals.WriteTo(request("INVITE", description(addrPort(c.here))), to); err != nil {
			return err
		}
		c.signals.SetReadDeadline(time.Now().Add(again))
		n, _, err := c.signals.ReadFrom(buffer)
		if err == nil && strings.HasPrefix(string(buffer[:n]), "SIP/2.0 200 ") {
			_, err := c.signals.WriteTo(request("ACK", "Content-Length: 0\r\n\r\n"), to)
			return err
		}
	}
	return fmt.Errorf("%s: no answer to INVITE", c.id)
}

// description says where media are received (RFC 4566), behind the headers that it needs.
func description(at netip.AddrPort) string {
	body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0\r\n", at.Addr(), at.Port())
	return fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// sipAnswer answers an INVITE with where the call's media arrive on this side, and what
// is not SIP with itself.
func sipAnswer(packet []byte, media map[string]netip.AddrPort) []byte {
	head, _, isSIP := bytes.Cut(packet, []byte("\r\n"))
	if !isSIP {
		return packet
	}
	if !bytes.HasPrefix(head, []byte("INVITE ")) {
		return nil
	}
	answer, id := "SIP/2.0 200 OK\r\n", ""
	for line := range strings.Lines(string(packet)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Call-ID":
			id = value
		case "To":
			line = strings.TrimSpace(line) + ";tag=2\r\n"
		case "Via", "From", "CSeq":
		default:
			continue
		}
		answer += line
	}
	return []byte(answer + description(media[id]))
}
