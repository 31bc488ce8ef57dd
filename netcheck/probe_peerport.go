package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/dump"
)

const (
	// A kernel sends one host an ICMP error a second once it has sent some: the tries
	// last longer, so that a limited one is heard too.
	peerPortTries    = 3
	peerPortInterval = 510 * time.Millisecond
	peerPortPatience = 200 * time.Millisecond // with the last one
)

// runPeerPort asks whether the peer refuses datagrams to the sync port.
//
// Only datagrams without content are sent: conntrackd counts them as received
// and nothing else, while any other content counts as malformed, and a valid
// message would break the peer's sequence.
func runPeerPort(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		link, err := linkNamed(t.Interface)
		if err != nil {
			return check.CouldNotRun(err)
		}
		if f, ok := refusedRoute(t, link); ok {
			return f
		}
		k, err := openUDP(ctx, t, link)
		if err != nil {
			return cannotTalk(ctx, t, link, err, "datagrams", "the peer's port could not be asked")
		}
		defer k.close()
		err = knock(ctx, k)
		if ctx.Err() != nil {
			return check.Finding{Status: check.Unknown, Detail: "cancelled", Err: context.Cause(ctx)}
		}
		return judgePeerPort(ctx, t, link, err, len(link.HardwareAddr) == 0 || resolved(ctx, link.Index, k.peer))
	}
}

// knock sends empty datagrams and returns what comes back; nil is silence.
func knock(ctx context.Context, k *talk) error {
	for try := range peerPortTries {
		if err := k.send(ctx, nil); err != nil {
			return err
		}
		patience := peerPortInterval
		if try == peerPortTries-1 {
			patience = peerPortPatience
		}
		waiting, cancel := context.WithTimeout(ctx, patience)
		_, _, err := k.hear(waiting)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

func judgePeerPort(ctx context.Context, t Target, link Interface, err error, resolved bool) check.Finding {
	peer := t.Peer.Addr().Unmap()
	r := &refusal{}
	errors.As(err, &r)
	switch {
	case errors.Is(err, unix.ECONNREFUSED) && r.offender == t.Peer.Addr().Unmap().WithZone(""):
		if t.FirstNode && (r.device == 0 || r.device == link.Index) {
			return check.Pass("UDP port %d of %v is closed: the peer is not set up yet", t.Port, peer)
		}
		f := check.Fail(fmt.Sprintf("set up connsync on the peer too, with Port %d; if it is, on the peer: %s", t.Port, t.InstallThere()),
			"nothing listens on UDP port %d of %v yet, or a firewall there rejects it", t.Port, peer)
		f.Mild = true
		return viaOther(f, link, r.device)
	case r.offender.IsValid() && r.offender == t.Peer.Addr().Unmap().WithZone(""):
		f := check.Fail("on the peer: "+t.InstallThere(),
			"the firewall of the peer %v rejects UDP port %d%s", peer, t.Port, r.manner())
		f.Err, f.Mild = err, t.Group.IsValid() // it may let the group in
		return viaOther(f, link, r.device)
	case err != nil:
		return explainRefusal(ctx, t, link, err, fmt.Sprintf("datagrams to UDP port %d", t.Port))
	case !resolved:
		return check.Finding{Status: check.Unknown, Remedy: t.ip("neighbour show %v dev %s", peer, link.Name),
			Detail: fmt.Sprintf("%v has not been found on %s, so its port could not be asked", peer, link.Name)}
	}
	return check.Pass("%v does not refuse UDP port %d; %s shows after the start", peer, t.Port, unproven(t))
}

// resolved says that the kernel knows the hardware address of the peer, or
// needs none: silence of a host that has never been found is no answer.
func resolved(ctx context.Context, index int, peer netip.Addr) bool {
	neighs, err := dump.All(ctx, func() ([]netlink.Neigh, error) { return netlink.NeighList(index, netlink.FAMILY_ALL) })
	if err != nil {
		return false
	}
	for _, n := range neighs {
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == peer {
			return n.State&(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) == 0
		}
	}
	return false
}

// unproven is what nobody can ask the peer before conntrackd runs, in words.
func unproven(t Target) string {
	if t.Group.IsValid() {
		return fmt.Sprintf("a group refuses nothing, so whether the peer hears %v, and the switches forward it (IGMP or MLD snooping),", t.Group)
	}
	return "whether conntrackd listens there"
}
