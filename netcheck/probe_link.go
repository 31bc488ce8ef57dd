package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/dump"
	"connsync/trust"
)

const (
	// Hosts on a wire answer within a tenth of a millisecond, so this is
	// patient; RFC 5227 and RFC 4862 wait a second for radio links.
	duplicateInterval = 100 * time.Millisecond
	neighbourInterval = 300 * time.Millisecond
	neighbourTries    = 3
	neighbourSettle   = 50 * time.Millisecond
	// Shorter than that of the peer: another host that has Current IP is known before
	// anything is sent from it.
	duplicateSettle = neighbourSettle / 2
)

// runDuplicateAddress asks whether another host has Current IP.
func runDuplicateAddress(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		link, err := linkWithAddresses(ctx, t.Interface)
		if err != nil {
			return check.CouldNotRun(err)
		}
		addr := t.Current.Addr().Unmap().WithZone("")
		q := inquiry{link: link, addr: addr, tries: neighbourTries, interval: duplicateInterval, settle: duplicateSettle,
			// Whoever has our address cannot answer a question from it.
			source: solicitationSource(link, addr, netip.IPv6Unspecified())}
		got, err := q.ask(ctx)
		return judgeDuplicate(t, link, got, err)
	}
}

func judgeDuplicate(t Target, link Interface, got answers, err error) check.Finding {
	addr := t.Current.Addr().Unmap()
	change := fmt.Sprintf("Current IP: an address that no other host on %s has", link.Name)
	readd := fmt.Sprintf("; after that: %s && %s", t.ip("address del %v dev %s", prefixOn(link, t.Current), link.Name),
		t.ip("address add %v dev %s", prefixOn(link, t.Current), link.Name))
	failedDAD := slices.Contains(link.DADFailed, addr)
	switch {
	case len(got.owners) > 0:
		f := check.Fail(fmt.Sprintf("%s; or take %v away from the host with hardware address %v: %s", change, addr, got.owners[0],
			t.ip("address del %v dev INTERFACE", prefixOn(link, t.Current))),
			"%v is also in use by another host on the wire of %s, with hardware address %s", addr, link.Name, allOf(got.owners))
		if failedDAD {
			f.Remedy += readd
		}
		return f
	case failedDAD:
		return check.Fail(change+readd, "the kernel found %v in use by another host on the wire of %s and does not use it", addr, link.Name)
	case err != nil:
		return linkUnknown(err, "could not check whether another host has "+addr.String())
	case !link.Carrier: // where it does not stop the save, the carrier's own check says so
		return check.Finding{Status: check.Unknown, Mild: t.FirstNode,
			Detail: fmt.Sprintf("%s has no carrier, so no other host could be asked whether it has %v", link.Name, addr)}
	case slices.Contains(link.Tentative, addr):
		return check.Finding{Status: check.Unknown, Remedy: t.ip("address show dev %s tentative", link.Name),
			Detail: fmt.Sprintf("the kernel is still looking for another host with %v on the wire of %s", addr, link.Name)}
	}
	return check.Pass("no other host on the wire of %s answers for %v", link.Name, addr)
}

// runPeerLink asks whether the peer is on the wire of the interface.
func runPeerLink(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		link, err := linkWithAddresses(ctx, t.Interface)
		if err != nil {
			return check.CouldNotRun(err)
		}
		if !link.Up {
			return down(link.Name)
		}
		q, err := peerInquiry(t, link)
		if err != nil {
			return linkUnknown(err, "the peer could not be asked for")
		}
		got, err := q.ask(ctx)
		return judgePeerLink(t, link, got, err, func() string { return elsewhere(ctx, link.Index, q.addr) })
	}
}

func peerInquiry(t Target, link Interface) (inquiry, error) {
	addr := t.Peer.Addr().Unmap().WithZone("")
	q := inquiry{link: link, addr: addr, tries: neighbourTries, interval: neighbourInterval, settle: neighbourSettle,
		source: solicitationSource(link, netip.Addr{}, netip.Addr{})}
	// Never from the unspecified address: a peer that is just coming up would
	// take that for a conflict and give its address up (RFC 4862, 5.4.3).
	if addr.Is6() && !q.source.IsValid() {
		return inquiry{}, fmt.Errorf("%s %w", link.Name, errNoSource)
	}
	return q, nil
}

// judgePeerLink weighs the answers; elsewhere names an interface of this host
// on which the peer has been seen.
func judgePeerLink(t Target, link Interface, got answers, err error, elsewhere func() string) check.Finding {
	peer, how := t.Peer.Addr().Unmap(), t.resolution()
	switch {
	case errors.Is(err, unix.ENETDOWN):
		return down(link.Name)
	case err != nil:
		return linkUnknown(err, "the peer could not be asked for")
	case len(got.owners) > 1:
		return check.Fail(fmt.Sprintf("find both hosts by their hardware address and take %v away from one: %s; if both are interfaces of the peer, on the peer: sysctl -w net.ipv4.conf.all.arp_ignore=1",
			peer, t.ip("address del %v dev INTERFACE", prefixOn(link, t.Peer))),
			"%d hardware addresses answer %s for %v on %s: %s", len(got.owners), how, peer, link.Name, allOf(got.owners))
	case len(got.owners) == 1:
		return check.Pass("%v answers %s on %s from %v after %s", peer, how, link.Name, got.owners[0], milliseconds(got.after))
	}
	remedy := fmt.Sprintf("on the peer: %s && ip link set dev INTERFACE up, on the interface that is wired to %s here; or Peer IP: the address that the peer has there",
		t.ip("address add %v dev INTERFACE", prefixOn(link, t.Peer)), link.Name)
	detail := fmt.Sprintf("nobody answers %s for %v on %s: the peer is down, elsewhere, or has another address", how, peer, link.Name)
	if other := elsewhere(); other != "" {
		detail = fmt.Sprintf("nobody answers %s for %v on %s, but it has been seen on %s", how, peer, link.Name, other)
		remedy = fmt.Sprintf("Interface Name: %s; or mend the cable of %s, which does not lead to the peer", other, link.Name)
	}
	return check.Finding{Status: check.Failed, Detail: detail, Remedy: remedy}
}

// isDown reports whether an interface that was found is down by now.
func isDown(name string) bool {
	now, err := linkNamed(name)
	return err == nil && !now.Up
}

// down is the finding for an interface that was up when link-up looked.
func down(name string) check.Finding {
	return check.Finding{Status: check.Failed, Err: unix.ENETDOWN, Remedy: "ip link set dev " + name + " up", Detail: name + " is down"}
}

// solicitationSource is the address of link to send neighbour solicitations
// from: the link-local one, which every IPv6 interface should have, else any
// usable one, else otherwise. Never is left out.
func solicitationSource(link Interface, never, otherwise netip.Addr) netip.Addr {
	source := otherwise
	for _, p := range link.Addresses {
		a := p.Addr()
		if !a.Is6() || a == never || slices.Contains(link.DADFailed, a) || slices.Contains(link.Tentative, a) {
			continue
		}
		if a.IsLinkLocalUnicast() {
			return a
		}
		if source == otherwise {
			source = a
		}
	}
	return source
}

// linkWithAddresses looks one interface up with its addresses.
func linkWithAddresses(ctx context.Context, name string) (Interface, error) {
	i, err := linkNamed(name)
	if err != nil {
		return Interface{}, err
	}
	addrs, err := dump.All(ctx, func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return Interface{}, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if a.LinkIndex == i.Index && a.IPNet != nil {
			addAddress(&i, a)
		}
	}
	return i, nil
}

// elsewhere names another interface on which the kernel knows an address.
func elsewhere(ctx context.Context, index int, addr netip.Addr) string {
	neighs, err := dump.All(ctx, func() ([]netlink.Neigh, error) { return netlink.NeighList(0, netlink.FAMILY_ALL) })
	if err != nil {
		return ""
	}
	for _, n := range neighs {
		ip, ok := netip.AddrFromSlice(n.IP)
		if !ok || ip.Unmap() != addr || n.LinkIndex == index || n.State&netlink.NUD_REACHABLE == 0 {
			continue
		}
		if link, err := netlink.LinkByIndex(n.LinkIndex); err == nil {
			return link.Attrs().Name
		}
	}
	return ""
}

// linkUnknown explains why a question could not be asked.
func linkUnknown(err error, detail string) check.Finding {
	f := check.Finding{Status: check.Unknown, Err: err, Detail: detail + ": " + err.Error()}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		f.Detail = detail + ": that takes root (CAP_NET_RAW)"
		f.Remedy = trust.NetRaw.AsRoot()
	}
	return f
}

// resolution is the name of the protocol that finds hardware addresses.
func (t Target) resolution() string {
	if t.Family() == 4 {
		return "ARP"
	}
	return "neighbour discovery"
}

// prefixOn is an address as ip(8) takes it, with the prefix length that it has
// or should have on link.
func prefixOn(link Interface, p netip.Prefix) netip.Prefix {
	p = unmapPrefix(p)
	if have, ok := link.prefixOf(p.Addr()); ok {
		return have
	}
	if p.Bits() < 0 {
		return netip.PrefixFrom(p.Addr(), usualBits(p.Addr()))
	}
	return p
}

func allOf(macs []net.HardwareAddr) string {
	texts := make([]string, len(macs))
	for i, m := range macs {
		texts[i] = m.String()
	}
	slices.Sort(texts)
	return strings.Join(texts, " and ")
}

// milliseconds is a short round-trip time.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
