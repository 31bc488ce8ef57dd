// Package group asks what a multicast group needs that a peer's address does not: that
// what this node sends to it comes from Current IP.
package group

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/trust"
)

// Source asks after a route that is right whether the kernel takes Current IP for the
// source of what goes to the group. conntrackd names it with IPv4; with IPv6 it names the
// interface alone, and the kernel chooses among its addresses.
func Source(f firewall.Flow, route func(context.Context) check.Finding) func(context.Context) check.Finding {
	if !f.Group.Is6() {
		return route
	}
	return func(ctx context.Context) check.Finding {
		found := route(ctx)
		if found.Status != check.Passed {
			return found
		}
		source, err := sourceOf(f)
		current := f.Current.Addr().WithZone("")
		switch {
		case err != nil:
			return check.CouldNotRun(fmt.Errorf("ask for the route to the group: %w", err))
		case source != current:
			return check.Fail(fmt.Sprintf("Current IP: %v, and on the peer Peer IP%s", source, deprecate(f.Interface, source)),
				"the kernel sends to %v from %v, not from %v, and the peer expects %v", f.Group, source, current, current)
		}
		found.Detail += fmt.Sprintf("; to %v too", f.Group)
		return found
	}
}

// deprecate is the command that has the kernel choose another source, behind the other
// way; blank where the address is not on the interface any more.
func deprecate(device string, source netip.Addr) string {
	on, err := net.InterfaceByName(device)
	if err != nil {
		return ""
	}
	addresses, _ := on.Addrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == source {
			return fmt.Sprintf("; or ip address change %v dev %s preferred_lft 0", p, device)
		}
	}
	return ""
}

// sourceOf is the address from which the kernel sends to the group.
func sourceOf(f firewall.Flow) (netip.Addr, error) {
	routes, err := trust.Message(func() ([]netlink.Route, error) {
		return netlink.RouteGetWithOptions(f.Group.AsSlice(), &netlink.RouteGetOptions{Oif: f.Interface})
	})
	if err != nil {
		return netip.Addr{}, err
	}
	for _, r := range routes {
		if a, ok := netip.AddrFromSlice(r.Src); ok {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the kernel names no source for %v on %s", f.Group, f.Interface)
}
