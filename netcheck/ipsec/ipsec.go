// Package ipsec asks whether a policy of IPsec on this node blocks the sync, which no rule
// of a firewall shows.
package ipsec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/dump"
	"connsync/netcheck/firewall"
)

// list shows the policies.
const list = "ip xfrm policy list"

// Beside asks after a firewall that lets the sync through whether IPsec does, too. A
// policy that blocks it, or may, makes that unknown.
func Beside(f firewall.Flow, rules func(context.Context) check.Finding) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		found := rules(ctx)
		if found.Status != check.Passed {
			return found
		}
		for _, l := range append([]firewall.Flow{f}, f.Spares...) {
			for _, in := range []bool{true, false} {
				blocks, err := Blocks(ctx, l, in, unix.IPPROTO_UDP)
				switch {
				case err != nil:
					return check.Finding{Status: check.Unknown, Err: err, Remedy: list, Detail: "the policies of IPsec on this node could not be read: " + err.Error()}
				case blocks:
					return check.Finding{Status: check.Unknown, Remedy: list, Detail: fmt.Sprintf("could not check whether IPsec lets the sync datagrams %s on %s: "+
						"a policy of this node may block them", map[bool]string{true: "in", false: "out"}[in], l.Interface)}
				}
			}
		}
		return found
	}
}

// Blocks says whether a policy may block packets of a protocol between the nodes, in or
// out; those of UDP are the sync datagrams. Of the policies that match, the kernel takes
// the one with the lowest priority.
func Blocks(ctx context.Context, f firewall.Flow, in bool, protocol netlink.Proto) (bool, error) {
	family, direction := netlink.FAMILY_V4, netlink.XFRM_DIR_OUT
	if f.Family() == 6 {
		family = netlink.FAMILY_V6
	}
	if in {
		direction = netlink.XFRM_DIR_IN
	}
	policies, err := dump.All(ctx, func() ([]netlink.XfrmPolicy, error) { return netlink.XfrmPolicyList(family) })
	if errors.Is(err, unix.EPROTONOSUPPORT) { // the kernel has no IPsec
		return false, nil
	}
	slices.SortStableFunc(policies, func(a, b netlink.XfrmPolicy) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Action, a.Action)) // one that blocks first
	})
	for _, p := range policies {
		matches, surely := selects(p, f, in, protocol)
		switch {
		case p.Dir != direction || !matches:
		case p.Action == netlink.XFRM_POLICY_BLOCK:
			return true, err
		case surely:
			return false, err
		}
	}
	return false, err
}

// selects says whether a policy may be about the packets, and whether it surely is: their
// source port and their mark are not known.
func selects(p netlink.XfrmPolicy, f firewall.Flow, in bool, protocol netlink.Proto) (matches, surely bool) {
	source, destination := f.Current, f.Peer.Addr()
	if in {
		source, destination = f.Peer, f.Current.Addr()
	}
	if f.Group.IsValid() && protocol == unix.IPPROTO_UDP {
		destination = f.Group
	}
	within := func(n *net.IPNet, a netip.Addr) bool { return n == nil || n.Contains(a.Unmap().AsSlice()) }
	port := p.DstPort == 0 || protocol == unix.IPPROTO_UDP && p.DstPort == int(f.Port)
	matches = within(p.Src, source.Addr()) && within(p.Dst, destination) && (p.Proto == 0 || p.Proto == protocol) && port
	return matches, p.SrcPort == 0 && p.Ifindex == 0 && p.Ifid == 0 && p.Mark == nil
}

// Refused explains that this node did not let what is in words out to the peer, and what to
// do about it; forbidden says that the kernel refused to send it. A policy of IPsec does the
// same as a firewall that drops.
func Refused(f firewall.Flow, what string, forbidden bool) (detail, remedy string) {
	peer := f.Peer.Addr().Unmap().WithZone("")
	refuses := fmt.Sprintf("does not let %s to %v out on %s", what, peer, f.Interface)
	rule := fmt.Sprintf("nft insert rule inet filter output oifname %q %s daddr %v accept", f.Interface, f.NftFamily(), peer)
	if !forbidden {
		return "the firewall of this node " + refuses, rule
	}
	for _, protocol := range []netlink.Proto{unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6} {
		if blocks, _ := Blocks(context.Background(), f, false, protocol); blocks {
			return "a policy of IPsec on this node, or its firewall, " + refuses, list + "; nft list ruleset"
		}
	}
	return "the firewall of this node " + refuses, rule
}
