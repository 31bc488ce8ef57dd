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
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/dump"
	"connsync/netcheck/firewall"
	"connsync/netcheck/packet"
	"connsync/trust"
)

// list shows the policies.
const list = "ip xfrm policy list"

// Beside asks after a firewall that lets the sync through whether IPsec does, too. A
// policy that blocks it, or may, makes that unknown. What a policy of a single socket does
// is not seen; conntrackd sets none.
func Beside(f firewall.Flow, rules func(context.Context) check.Finding) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		found := rules(ctx)
		if found.Status != check.Passed {
			return found
		}
		for _, l := range append([]firewall.Flow{f}, f.Spares...) {
			for _, p := range needed(l) {
				why, err := hinders(ctx, l, p)
				switch {
				case err != nil:
					return check.Finding{Status: check.Unknown, Err: err, Remedy: list, Detail: "the policies of IPsec on this node could not be read: " + err.Error()}
				case why != lets:
					return check.Finding{Status: check.Unknown, Remedy: why.remedy(), Detail: fmt.Sprintf("could not check whether IPsec lets %s %s on %s: %s",
						p.what, map[bool]string{true: "in", false: "out"}[p.in], l.Interface, why)}
				}
			}
		}
		return found
	}
}

// packets are those of one kind between the nodes, in or out.
type packets struct {
	what        string
	in          bool
	protocol    netlink.Proto
	destination netip.Addr
}

// needed are those that have to come through for the sync.
func needed(f firewall.Flow) []packets {
	var all []packets
	for _, in := range []bool{true, false} {
		to := ends(f, in)
		if f.Group.IsValid() {
			all = append(all, packets{"the sync datagrams", in, unix.IPPROTO_UDP, f.Group})
			continue
		}
		all = append(all, packets{"the sync datagrams", in, unix.IPPROTO_UDP, to})
		if to.Is6() {
			const search = "the search for the neighbour (ICMPv6 135 and 136)"
			all = append(all, packets{search, in, unix.IPPROTO_ICMPV6, packet.SolicitedNode(to)}, packets{search, in, unix.IPPROTO_ICMPV6, to})
		}
	}
	return all
}

// ends is the address of the node to which packets go.
func ends(f firewall.Flow, in bool) netip.Addr {
	if in {
		return f.Current.Addr().Unmap().WithZone("")
	}
	return f.Peer.Addr().Unmap().WithZone("")
}

// effect is what the policies do to packets of one kind; blank where they let them.
type effect string

const (
	lets     effect = ""
	blocks   effect = "a policy of this node may block them"
	standard effect = "what no policy of this node is about is blocked"
	protects effect = "a policy of this node wants them protected, and whether both nodes have the states for that, and their firewalls let the protected packets through, is not known"
)

func (e effect) remedy() string {
	switch e {
	case standard:
		return "ip xfrm policy getdefault; " + list
	case protects:
		return list + "; ip xfrm state list"
	}
	return list
}

// hinders says what the policies do to packets. Of those that match, the kernel takes
// the one with the lowest priority.
func hinders(ctx context.Context, f firewall.Flow, of packets) (effect, error) {
	family, direction := netlink.FAMILY_V4, netlink.XFRM_DIR_OUT
	if f.Family() == 6 {
		family = netlink.FAMILY_V6
	}
	if of.in {
		direction = netlink.XFRM_DIR_IN
	}
	policies, err := dump.All(ctx, func() ([]netlink.XfrmPolicy, error) { return netlink.XfrmPolicyList(family) })
	if errors.Is(err, unix.EPROTONOSUPPORT) { // the kernel has no IPsec
		return lets, nil
	}
	if err != nil {
		return lets, err
	}
	slices.SortStableFunc(policies, func(a, b netlink.XfrmPolicy) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Action, a.Action), cmp.Compare(len(b.Tmpls), len(a.Tmpls))) // one that hinders first
	})
	for _, p := range policies {
		matches, surely := selects(p, f, of)
		switch {
		case p.Dir != direction || !matches:
		case p.Action == netlink.XFRM_POLICY_BLOCK:
			return blocks, nil
		case len(p.Tmpls) > 0:
			return protects, nil
		case surely:
			return lets, nil
		}
	}
	return standardOf(of.in)
}

// standardOf is what becomes of packets that no policy is about.
func standardOf(in bool) (effect, error) {
	const getDefault, block = 0x28, 1 // XFRM_MSG_GETDEFAULT, XFRM_USERPOLICY_BLOCK (linux/xfrm.h)
	answers, err := trust.Message(func() ([][]byte, error) {
		req := nl.NewNetlinkRequest(getDefault, 0)
		req.AddRawData(make([]byte, 4))
		return req.Execute(unix.NETLINK_XFRM, 0)
	})
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP): // Linux before 5.14 lets them
		return lets, nil
	case err != nil:
		return lets, err
	case len(answers) != 1 || len(answers[0]) < 3: // of what comes in, is forwarded and goes out
		return lets, errors.New("the kernel did not say what it does without a policy")
	}
	if answers[0][0] == block && in || answers[0][2] == block && !in {
		return standard, nil
	}
	return lets, nil
}

// selects says whether a policy may be about the packets, and whether it surely is: their
// source port and their mark are not known.
func selects(p netlink.XfrmPolicy, f firewall.Flow, of packets) (matches, surely bool) {
	within := func(n *net.IPNet, a netip.Addr) bool { return n == nil || n.Contains(a.AsSlice()) }
	port := p.DstPort == 0 || of.protocol != unix.IPPROTO_UDP || p.DstPort == int(f.Port)
	matches = within(p.Src, ends(f, !of.in)) && within(p.Dst, of.destination) && (p.Proto == 0 || p.Proto == of.protocol) && port
	return matches, p.SrcPort == 0 && (p.DstPort == 0 || of.protocol == unix.IPPROTO_UDP) && p.Ifindex == 0 && p.Ifid == 0 && p.Mark == nil
}

// Refused explains that this node did not let what is in words out to the peer, and what to
// do about it; forbidden says that the kernel refused to send it. A policy of IPsec does the
// same as a firewall that drops.
func Refused(ctx context.Context, f firewall.Flow, what string, forbidden bool) (detail, remedy string) {
	peer := f.Peer.Addr().Unmap().WithZone("")
	refuses := fmt.Sprintf("does not let %s to %v out on %s", what, peer, f.Interface)
	rule := fmt.Sprintf("nft insert rule inet filter output oifname %q %s daddr %v accept", f.Interface, f.NftFamily(), peer)
	if !forbidden {
		return "the firewall of this node " + refuses, rule
	}
	for _, protocol := range []netlink.Proto{unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6} {
		if why, _ := hinders(ctx, f, packets{protocol: protocol, destination: peer}); why != lets {
			return "a policy of IPsec on this node, or its firewall, " + refuses, why.remedy() + "; nft list ruleset"
		}
	}
	return "the firewall of this node " + refuses, rule
}
