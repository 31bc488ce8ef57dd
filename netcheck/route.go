package netcheck

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/route"
)

// runRoute asks the kernel how it would send to the peer. conntrackd's sender
// is neither bound to the interface nor to Current IP, so the plain question
// is the one that counts; the others show policy rules, and the errors that
// the probes would meet.
func runRoute(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		all, err := Interfaces(ctx)
		if err != nil {
			return check.CouldNotRun(err)
		}
		v := routeView{target: t, names: make(map[int]string, len(all))}
		for _, i := range all {
			v.names[i.Index] = i.Name
			if i.Name == t.Interface {
				v.link = i.Index
			}
		}
		if v.link == 0 {
			return check.CouldNotRun(fmt.Errorf("interface %s has gone", t.Interface))
		}
		if err := v.ask(); err != nil {
			return check.CouldNotRun(fmt.Errorf("ask for the route to the peer: %w", err))
		}
		return v.judge()
	}
}

// routeAnswer is the kernel's answer to one route lookup.
type routeAnswer struct {
	link    int
	kind    int // RTN_UNICAST, RTN_LOCAL, ...
	table   int
	gateway netip.Addr
	source  netip.Addr
	err     error
}

// direct says that the answer is the peer on the wire of the given link.
func (a routeAnswer) direct(link int) bool {
	return a.err == nil && a.kind == unix.RTN_UNICAST && a.link == link && !a.gateway.IsValid()
}

// routeView is what the kernel says about the way to the peer.
type routeView struct {
	target Target
	link   int            // index of the chosen interface
	names  map[int]string // of all interfaces

	plain   routeAnswer // as conntrackd asks
	out     routeAnswer // through the interface
	from    routeAnswer // from Current IP
	outFrom routeAnswer // both, as the probes ask
	in      routeAnswer // of what the peer sends to Current IP
	// byPort says that the way depends on the source port, which is any.
	byPort bool
}

func (v *routeView) ask() (err error) {
	peer, current := v.target.Peer.Addr().Unmap(), v.target.Current.Addr().Unmap()
	of := func(link int, from netip.Addr) route.Question {
		return route.Question{To: peer, Link: link, From: from, Port: v.target.Port}
	}
	plain, out, from, outFrom := of(0, netip.Addr{}), of(v.link, netip.Addr{}), of(0, current), of(v.link, current)
	if peer.Is6() && peer.IsLinkLocalUnicast() {
		// Such an address means nothing without a scope. The daemon and the
		// probes give the interface as scope.
		plain, from = out, outFrom
	}
	in := route.Question{To: current, From: peer, In: v.link, Port: v.target.Port}
	v.plain, v.out, v.from, v.outFrom, v.in = askRoute(plain), askRoute(out), askRoute(from), askRoute(outFrom), askRoute(in)
	v.byPort, err = route.DependOnSourcePort(plain, in)
	return err
}

func askRoute(q route.Question) routeAnswer {
	a, err := route.Ask(q)
	if err != nil {
		return routeAnswer{err: fmt.Errorf("look up the route to %v: %w", q.To, err)}
	}
	return routeAnswer{link: a.Link, kind: a.Kind, table: a.Table, gateway: a.Gateway, source: a.Source}
}
