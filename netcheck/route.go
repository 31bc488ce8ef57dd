package netcheck

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
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
		v.ask()
		return v.judge(findForbidding)
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
}

func (v *routeView) ask() {
	peer, current := v.target.Peer.Addr().Unmap(), v.target.Current.Addr().Unmap()
	v.plain = askRoute(peer, 0, netip.Addr{})
	v.out = askRoute(peer, v.link, netip.Addr{})
	v.from = askRoute(peer, 0, current)
	v.outFrom = askRoute(peer, v.link, current)
	if peer.Is6() && peer.IsLinkLocalUnicast() {
		// Such an address means nothing without a scope. The daemon and the
		// probes give the interface as scope.
		v.plain, v.from = v.out, v.outFrom
	}
}

func askRoute(peer netip.Addr, link int, source netip.Addr) routeAnswer {
	options := &netlink.RouteGetOptions{OifIndex: link}
	if source.IsValid() {
		options.SrcAddr = source.AsSlice()
	}
	routes, err := netlink.RouteGetWithOptions(peer.AsSlice(), options)
	if err == nil && len(routes) != 1 {
		err = fmt.Errorf("%d answers instead of one", len(routes))
	}
	if err != nil {
		return routeAnswer{err: fmt.Errorf("look up the route to %v: %w", peer, err)}
	}
	r := routes[0]
	a := routeAnswer{link: r.LinkIndex, kind: r.Type, table: r.Table}
	gateway := r.Gw
	if via, ok := r.Via.(*netlink.Via); ok { // of the other family (RFC 8950)
		gateway = via.Addr
	}
	if gw, ok := netip.AddrFromSlice(gateway); ok && !gw.IsUnspecified() {
		a.gateway = gw.Unmap()
	}
	if src, ok := netip.AddrFromSlice(r.Src); ok {
		a.source = src.Unmap()
	}
	return a
}
