package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	probing "github.com/prometheus-community/pro-bing"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/route"
	"connsync/plural"
)

const (
	pingCount    = 3
	pingInterval = 40 * time.Millisecond
	// pingTimeout bounds the whole run: pro-bing's Count counts replies, so
	// one that is lost is waited for until then. A peer that is busy, or this
	// host, may need more than a second; one that is not there is known before.
	pingTimeout = 2 * time.Second
)

// pings is what became of the echo requests.
type pings struct {
	sent, received int
	min, average   time.Duration
	// byLink and strays are the replies that were seen to come in by the sync
	// interface and by another, the newest of which is astray.
	byLink, strays, astray int
	// err is why there are not more replies, where somebody said so.
	err error
}

// runPeerPing asks whether the peer answers echo requests on the interface.
func runPeerPing(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		link, err := linkWithAddresses(ctx, t.Interface)
		if err != nil {
			return check.CouldNotRun(err)
		}
		if f, ok := refusedRoute(t, link); ok {
			return f
		}
		got, err := ping(ctx, t, link)
		switch {
		case ctx.Err() != nil:
			return check.Finding{Status: check.Unknown, Detail: "cancelled", Err: context.Cause(ctx)}
		case err != nil:
			return linkUnknown(err, "no echo request could be made")
		case got.received > 0 && got.err == nil:
			return judgeReplies(t, link, got)
		case got.err != nil:
			return judgeRefusedPing(ctx, t, link, got)
		case got.strays > 0:
			return judgeReplies(t, link, got)
		}
		return judgeSilence(ctx, t, link)
	}
}

// refusedRoute is the finding when the kernel refuses to route to the peer.
// pro-bing must not even be started then: on EACCES, which a prohibit route
// gives, it sends again and again without end.
//
// For IPv6 the interface of a packet is a wish: where a better route leaves
// through another one, the kernel takes that (ip6_route_output_flags). What
// would be heard there is no word about this link.
func refusedRoute(t Target, link Interface) (check.Finding, bool) {
	a := askRoute(route.Question{To: t.Peer.Addr(), Link: link.Index, From: t.Current.Addr()})
	v := &routeView{target: t, link: link.Index}
	switch {
	case a.err == nil && a.link == link.Index:
		return check.Finding{}, false
	case a.err == nil:
		if other, err := netlink.LinkByIndex(a.link); err == nil {
			v.names = map[int]string{a.link: other.Attrs().Name}
		}
		return check.Finding{Status: check.Unknown, Remedy: v.hostRoute(a),
			Detail: fmt.Sprintf("the kernel would send to %v through %s, so it could not be asked through %s", t.Peer.Addr().Unmap(), v.name(a.link), link.Name)}, true
	}
	if isDown(link.Name) { // its routes left with it
		return down(link.Name), true
	}
	return v.judgeError(a.err, " through "+link.Name, v.way(true, true)), true
}

// ping sends echo requests with pro-bing, and as many on a socket that hears the
// ICMP errors which pro-bing does not, and sees by which interface replies come in:
// pro-bing's interface is that of sending alone. A refusal ends both at once.
func ping(ctx context.Context, t Target, link Interface) (pings, error) {
	k, err := openEcho(ctx, t, link)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		return pings{err: err}, nil
	}
	if err != nil {
		return pings{}, err
	}
	defer k.close()
	replies, err := openReplies(t)
	if err == nil { // without it, less is said of a peer that is not heard
		defer replies.conn.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout+100*time.Millisecond)
	defer cancel()

	refused, devices := make(chan error, 1), make(chan int, pingCount)
	go func() {
		defer close(devices)
		err := k.exchange(ctx, devices)
		if r := (*refusal)(nil); errors.As(err, &r) {
			refused <- err
			cancel()
		}
	}()
	got, err := probe(ctx, t, link)
	if err == nil && got.err == nil {
		for device := range devices { // which ends with ctx at the latest
			if device == link.Index {
				got.byLink++
			} else {
				got.strays, got.astray = got.strays+1, device
			}
		}
	}
	if replies != nil && got.received == 0 {
		for _, device := range replies.arrivals() {
			if device != link.Index {
				got.strays, got.astray = got.strays+1, device
			}
		}
	}
	select {
	case got.err = <-refused:
		return got, nil
	default:
		return got, err
	}
}

// exchange sends as many echo requests as pro-bing, and sends for each reply the
// interface by which it came in, until all are there, ctx ends, or one is refused.
func (k *talk) exchange(ctx context.Context, devices chan<- int) error {
	heard := 0
	for sequence := range pingCount {
		if err := k.echo(ctx, sequence, 24); err != nil {
			return err
		}
		waiting, stop := context.WithTimeout(ctx, pingInterval)
		_, device, err := k.hearReply(waiting)
		stop()
		switch {
		case err == nil:
			devices <- device
			heard++
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
	for ; heard < pingCount; heard++ {
		_, device, err := k.hearReply(ctx)
		if err != nil {
			return err
		}
		devices <- device
	}
	return nil
}

// probe runs pro-bing. What its socket could not be made for is the error;
// what sending met is pings.err.
func probe(ctx context.Context, t Target, link Interface) (pings, error) {
	p := &pinger{target: t, link: link, forbidden: new(atomic.Bool), sendError: new(atomic.Pointer[error])}
	err := p.run(ctx, false)
	if !p.open && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EPROTONOSUPPORT)) {
		err = p.run(ctx, true)
	}
	got := p.result
	switch sendError := p.sendError.Load(); {
	case p.forbidden.Load():
		got.err = unix.EACCES
	case sendError != nil:
		got.err = *sendError
	case !p.open:
		return got, err
	}
	return got, nil
}

// pinger drives one run of pro-bing.
type pinger struct {
	target Target
	link   Interface

	open      bool // the socket could be made
	forbidden *atomic.Bool
	sendError *atomic.Pointer[error]
	result    pings
}

func (p *pinger) run(ctx context.Context, raw bool) error {
	t := p.target
	peer, source := t.Peer.Addr().Unmap().WithZone(""), t.Current.Addr().Unmap().WithZone("")
	to := &net.IPAddr{IP: peer.AsSlice()}
	e := probing.New("")
	if peer.Is6() && peer.IsLinkLocalUnicast() {
		to.Zone = p.link.Name
	} else {
		// pro-bing cannot parse a source with a zone; for a link-local peer
		// the kernel takes the link-local address of the interface.
		e.Source = source.String()
	}
	e.SetIPAddr(to)
	e.SetPrivileged(raw)
	e.InterfaceName = p.link.Name
	e.Count, e.Interval, e.Timeout = pingCount, pingInterval, pingTimeout
	e.SetLogger(breaker{forbidden: p.forbidden})
	e.OnSetup = func() { p.open = true }
	e.OnSendError = func(_ *probing.Packet, err error) { p.sendError.CompareAndSwap(nil, &err) }
	err := e.RunWithContext(ctx)
	s := e.Statistics()
	p.result = pings{sent: s.PacketsSent, received: s.PacketsRecv, min: s.MinRtt, average: s.AvgRtt}
	return err
}

// breaker is pro-bing's logger. It prints nothing. Its Infof ends the
// goroutine that calls it: pro-bing calls it only where it is about to repeat
// a send that met EACCES, without end and deaf to its context. Its deferred
// functions then end the whole run.
type breaker struct {
	probing.NoopLogger
	forbidden *atomic.Bool
}

func (b breaker) Infof(string, ...any) {
	b.forbidden.Store(true)
	runtime.Goexit()
}

// judgeReplies is for a peer that answers.
func judgeReplies(t Target, link Interface, got pings) check.Finding {
	peer := t.Peer.Addr().Unmap()
	switch {
	case got.byLink == 0 && got.strays > 0:
		return allAstray(t, link, got.astray)
	case got.byLink == 0:
		return check.Finding{Status: check.Unknown, Remedy: t.Called.Command("check"),
			Detail: fmt.Sprintf("%v answers, but the interface by which its replies come in is unknown", peer)}
	case got.strays > 0:
		f := allAstray(t, link, got.astray)
		f.Detail = fmt.Sprintf("%d of %d replies of %v come in by %s, not by %s", got.strays, got.strays+got.byLink, peer, nameOf(got.astray), link.Name)
		f.Mild = true
		return f
	}
	if got.received < got.sent {
		f := check.Fail("ip -statistics link show dev "+link.Name+", here and on the peer, shows errors and drops",
			"%d of %d echo requests to %v were lost on %s", got.sent-got.received, got.sent, peer, link.Name)
		f.Mild = true
		return f
	}
	return check.Pass("%v answers %d of %d, round trip %s, at best %s", peer, got.received, got.sent,
		milliseconds(got.average), milliseconds(got.min))
}

// judgeRefusedPing is for a peer to which sending failed, or which refused.
func judgeRefusedPing(ctx context.Context, t Target, link Interface, got pings) check.Finding {
	f := explainRefusal(ctx, t, link, got.err, "echo requests")
	if got.received > 0 {
		f.Detail = fmt.Sprintf("after %s: %s", plural.Of(got.received, "reply", "replies"), f.Detail)
	}
	return f
}

// judgeSilence tells a peer that filters echo requests from one that is not there.
func judgeSilence(ctx context.Context, t Target, link Interface) check.Finding {
	peer, how := t.Peer.Addr().Unmap(), t.resolution()
	q, err := peerInquiry(t, link)
	var got answers
	if err == nil {
		q.tries = 1
		got, err = q.ask(ctx)
	}
	switch {
	case errors.Is(err, unix.ENETDOWN):
		return explainRefusal(ctx, t, link, err, "echo requests")
	case err != nil:
		return check.Finding{Status: check.Failed, Remedy: t.pingRule(),
			Detail: fmt.Sprintf("%v does not answer echo requests on %s; it is unknown whether it is there at all: %v", peer, link.Name, err)}
	case len(got.owners) == 0:
		return check.Fail(fmt.Sprintf("on the peer: %s && ip link set dev INTERFACE up, on the interface that is wired to %s here",
			t.ip("address add %v dev INTERFACE", prefixOn(link, t.Peer)), link.Name),
			"%v answers neither echo requests nor %s on %s: it is not there", peer, how, link.Name)
	}
	return check.Fail(t.pingRule(), "%v is on %s and answers %s, but drops echo requests: a firewall there or here filters ICMP", peer, link.Name, how)
}

// pingRule is the command for the peer that lets our echo requests in.
func (t Target) pingRule() string {
	word, ip := "icmp type", "ip"
	if t.Family() == 6 {
		word, ip = "icmpv6 type", "ip6"
	}
	return fmt.Sprintf("on the peer: nft insert rule inet filter input %s saddr %v %s echo-request accept",
		ip, t.Current.Addr().Unmap().WithZone(""), word)
}
