package netcheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connsync/netcheck/check"
)

// duplicateDetection is how long an IPv6 address may stay tentative: one
// probe and its timer (RFC 4862, 5.4), and as much again for a busy host.
const duplicateDetection = 2 * time.Second

// runCurrentAssigned asks whether Current IP is on the interface, with the
// prefix length that is set.
func runCurrentAssigned(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		addr := t.Current.Addr().Unmap()
		if !addr.IsValid() {
			return check.Fail("Current IP: an address of "+t.Interface, "no Current IP is set")
		}
		if slices.Contains(t.Virtual, addr) {
			return check.Fail("Current IP: an address of "+t.Interface+" that stays on this node",
				"%v is a virtual address of keepalived: it leaves this node at a failover", addr)
		}
		for deadline := time.Now().Add(duplicateDetection); ; {
			all, err := Interfaces(ctx)
			if err != nil {
				return check.CouldNotRun(err)
			}
			f, tentative := judgeAssigned(all, t)
			if f.Status == check.Failed && nowhere(all, addr) && !swapped(all, t) && answeredFor(ctx, t) {
				return check.Fail("Current IP: this node's own address on "+t.Interface,
					"%s; another host on the wire of %s answers for %v", f.Detail, t.Interface, addr)
			}
			if !tentative || time.Now().After(deadline) || !pause(ctx, 100*time.Millisecond) {
				return f
			}
		}
	}
}

// judgeAssigned finds Current IP among the interfaces; tentative says that the
// finding may be better in a moment.
func judgeAssigned(all []Interface, t Target) (f check.Finding, tentative bool) {
	if swapped(all, t) {
		return swapFinding(all, t), false
	}
	addr, want := t.Current.Addr().Unmap(), unmapPrefix(t.Current)
	var own Interface
	var elsewhere string
	for _, i := range all {
		switch {
		case i.Name == t.Interface:
			own = i
		case elsewhere == "" && i.Has(addr):
			elsewhere = i.Name
		}
	}
	have, ok := own.prefixOf(addr)
	switch {
	case ok && slices.Contains(own.Tentative, addr) && !own.Carrier:
		return check.Fail(fmt.Sprintf("plug in the cable of %[1]s; or add the address so that the kernel does not ask other hosts for it: ip -6 address replace %[2]v dev %[1]s nodad", own.Name, have),
			"%v on %s cannot be used while %s has no carrier: the kernel has not asked yet whether another host has it", addr, own.Name, own.Name), false
	case ok && slices.Contains(own.Tentative, addr):
		return check.Fail("ip address show dev "+own.Name, "%v on %s is still being looked for on other nodes", addr, own.Name), true
	case ok && want.Bits() >= 0 && have.Bits() != want.Bits():
		return check.Fail(fmt.Sprintf("Current IP: %v", have), "%s has %v, not %v", own.Name, have, want), false
	case ok:
		return check.Pass("%v is on %s", have, own.Name), false
	case elsewhere != "":
		return check.Fail("Interface Name: "+elsewhere, "%v is on %s, not on %s", addr, elsewhere, t.Interface), false
	}
	return missing(own, t, want), false
}

// nowhere says that no interface has an address.
func nowhere(all []Interface, addr netip.Addr) bool {
	return !slices.ContainsFunc(all, func(i Interface) bool { return i.Has(addr) })
}

// swapped says that the settings are the other node's: Peer IP is an address of
// this node, and Current IP is not.
func swapped(all []Interface, t Target) bool {
	current, peer := t.Current.Addr().Unmap(), t.Peer.Addr().Unmap()
	return current.IsValid() && peer.IsValid() && nowhere(all, current) && !nowhere(all, peer)
}

// swapFinding is for settings that are [swapped].
func swapFinding(all []Interface, t Target) check.Finding {
	current, peer := t.Current.Addr().Unmap(), t.Peer.Addr().Unmap()
	for _, i := range all {
		if own, ok := i.prefixOf(peer); ok {
			words := []string{"apply"}
			if t.Enabled {
				words = append(words, "--enable")
			}
			words = append(words, "--interface", i.Name, "--current-ip", own.String(), "--peer-ip", netip.PrefixFrom(current, own.Bits()).String())
			return check.Fail(t.Called.Command(words...),
				"these are the other node's settings: Peer IP %v is this node's own address, on %s, and Current IP %v is not", peer, i.Name, current)
		}
	}
	return check.Finding{}
}

// answeredFor says that another host answers for Current IP, which is on no
// interface of this one.
func answeredFor(ctx context.Context, t Target) bool {
	link, err := linkWithAddresses(ctx, t.Interface)
	if err != nil {
		return false
	}
	addr := t.Current.Addr().Unmap().WithZone("")
	q := inquiry{link: link, addr: addr, tries: neighbourTries, interval: duplicateInterval, settle: neighbourSettle,
		source: solicitationSource(link, addr, netip.IPv6Unspecified())}
	got, err := q.ask(ctx)
	return err == nil && len(got.owners) > 0
}

// missing is the finding for an address that no interface has.
func missing(own Interface, t Target, want netip.Prefix) check.Finding {
	if want.Bits() < 0 {
		want = netip.PrefixFrom(want.Addr(), usualBits(want.Addr()))
	}
	remedy := fmt.Sprintf("ip address add %v dev %s", want, t.Interface)
	var same []string
	for _, p := range own.Addresses {
		if p.Addr().Is4() == want.Addr().Is4() && (!p.Addr().IsLinkLocalUnicast() || want.Addr().IsLinkLocalUnicast()) {
			same = append(same, p.String())
		}
	}
	if len(same) == 0 {
		return check.Fail(remedy, "%v is on no interface; %s has no such address", want.Addr(), t.Interface)
	}
	return check.Fail(remedy+", or Current IP: "+same[0], "%v is on no interface; %s has %s", want.Addr(), t.Interface, strings.Join(same, ", "))
}

// runPeerDistinct asks whether Peer IP is an address of this host, on any
// interface.
func runPeerDistinct(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		peer := t.Peer.Addr().Unmap()
		const remedy = "Peer IP: the other node's address"
		if !peer.IsValid() {
			return check.Fail(remedy, "no Peer IP is set")
		}
		if slices.Contains(t.Virtual, peer) {
			return check.Fail("Peer IP: the peer's own address on the sync link",
				"%v is a virtual address of keepalived: it is on whichever node is primary", peer)
		}
		all, err := Interfaces(ctx)
		if err != nil {
			return check.CouldNotRun(err)
		}
		if swapped(all, t) {
			if slices.ContainsFunc(all, func(i Interface) bool { return i.Name == t.Interface }) {
				return check.Finding{Status: check.Skipped, Detail: "the two addresses are swapped"}
			}
			return swapFinding(all, t)
		}
		for _, i := range all {
			if i.Has(peer) {
				return check.Fail(remedy, "%v is this node's own address, on %s", peer, i.Name)
			}
		}
		if peer == t.Current.Addr().Unmap() {
			return check.Fail(remedy, "Peer IP and Current IP are both %v", peer)
		}
		return check.Pass("%v is not an address of this node", peer)
	}
}

// runSameSubnet asks [SameSubnet]. Where the prefix length of Current IP is
// not recorded it is read from the interface.
func runSameSubnet(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		current := unmapPrefix(t.Current)
		switch {
		case !current.Addr().IsValid():
			return check.Fail("Current IP: an address of "+t.Interface, "no Current IP is set")
		case !t.Peer.Addr().IsValid():
			return check.Fail("Peer IP: the other node's address", "no Peer IP is set")
		case current.Bits() < 0:
			all, err := Interfaces(ctx)
			if err != nil {
				return check.CouldNotRun(err)
			}
			for _, i := range all {
				if p, ok := i.prefixOf(current.Addr()); ok {
					current = p
				}
			}
			if current.Bits() < 0 {
				return check.Finding{Status: check.Skipped,
					Detail: fmt.Sprintf("no prefix length is known: the file records none, and no interface has %v", current.Addr())}
			}
		}
		return judgeSubnet(current, t.Peer)
	}
}

func judgeSubnet(current, peer netip.Prefix) check.Finding {
	problems := SameSubnet(current, peer)
	if len(problems) == 0 {
		return check.Pass("%v is in %v", peer.Addr().Unmap(), current.Masked())
	}
	f := check.Finding{Status: check.Failed, Mild: true}
	var messages []string
	for _, p := range problems {
		messages = append(messages, p.Message)
		f.Mild = f.Mild && p.Warning
	}
	f.Detail = strings.Join(messages, "; ")
	f.Remedy = subnetRemedy(current, problems)
	return f
}

// subnetRemedy names the field to change, with a value where there is one.
func subnetRemedy(current netip.Prefix, problems []PairProblem) string {
	n := max(slices.IndexFunc(problems, func(p PairProblem) bool { return !p.Warning }), 0)
	switch {
	case !problems[n].Peer && problems[n].Warning:
		return "Current IP: with the prefix length of the sync network"
	case !problems[n].Peer:
		return "Current IP: this node's address in the sync network, with prefix length"
	case problems[n].Warning:
		return fmt.Sprintf("Peer IP: with the prefix length %d, on the peer's interface too", current.Bits())
	}
	if other, ok := OtherEnd(current); ok {
		return fmt.Sprintf("Peer IP: %v/%d", other, current.Bits())
	}
	return fmt.Sprintf("Peer IP: an address in %v", current.Masked())
}
