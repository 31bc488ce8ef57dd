package netcheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"connsync/netcheck/check"
	"connsync/trust"
)

// linkNamed looks one interface up by its name or an alternative name, without
// its addresses and routes.
func linkNamed(name string) (Interface, error) {
	link, err := trust.Message(func() (netlink.Link, error) { return netlink.LinkByName(name) })
	if err != nil {
		return Interface{}, fmt.Errorf("look up interface %s: %w", name, err)
	}
	return join([]netlink.Link{link}, nil, nil)[0], nil
}

// runInterface asks whether the interface exists and is of use by itself.
func runInterface(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		if t.Interface == "" {
			return check.Fail("Interface Name: choose the sync interface", "no interface is set")
		}
		all, err := Interfaces(ctx)
		if err != nil {
			return check.CouldNotRun(err)
		}
		for _, i := range all {
			if i.Name == t.Interface {
				return judgeInterface(i)
			}
			if slices.Contains(i.AltNames, t.Interface) {
				return check.Fail("Interface Name: "+i.Name, "%s is only another name of %s", t.Interface, i.Name)
			}
		}
		return check.Fail("Interface Name: "+choose("choose one that exists", all), "this host has no interface %s", t.Interface)
	}
}

func judgeInterface(i Interface) check.Finding {
	switch {
	case i.Loopback:
		return check.Fail("Interface Name: choose the interface towards the peer", "%s is the loopback interface, on which there is no peer", i.Name)
	case i.Master != "" && i.MasterKind != "vrf":
		return check.Fail("Interface Name: "+i.Master, "%s is a member of the %s %s, which takes what arrives on it", i.Name, i.MasterKind, i.Master)
	}
	return check.Pass("%s is a %s interface, MTU %d", i.Name, i.Kind, i.MTU)
}

// choose adds the interfaces that could be chosen to a piece of advice: the
// likely ones if there are such, else those that are down or busy.
func choose(advice string, all []Interface) string {
	var likely, other []string
	for _, i := range all {
		switch {
		case i.Loopback || i.Master != "" || len(i.HardwareAddr) != 6 || !wiredKind(i.Kind):
		case i.Up && i.Carrier && !i.DefaultRoute:
			likely = append(likely, i.Name)
		default:
			other = append(other, i.Name)
		}
	}
	names := likely
	if len(names) == 0 {
		names = other
	}
	const most = 6
	switch {
	case len(names) == 0:
		return advice
	case len(names) > most:
		names = append(names[:most:most], "...")
	}
	return advice + ": " + strings.Join(names, ", ")
}

// wiredKind says that an interface of this kind leads somewhere; the others look
// like Ethernet and do not, or lead through a tunnel that the kernel makes in
// every namespace.
func wiredKind(kind string) bool {
	switch kind {
	case "ifb", "dummy", "gretap", "ip6gretap", "erspan", "ip6erspan":
		return false
	}
	return true
}

// runLinkUp asks for the administrative state.
func runLinkUp(t Target) func(context.Context) check.Finding {
	return func(context.Context) check.Finding {
		i, err := linkNamed(t.Interface)
		switch {
		case err != nil:
			return check.CouldNotRun(err)
		case !i.Up:
			return check.Fail("ip link set dev "+i.Name+" up", "%s is down", i.Name)
		}
		return check.Pass("%s is up", i.Name)
	}
}

// runCarrier asks whether the lower layer is up. The operational state alone
// does not tell: tunnels and some drivers leave it unknown.
func runCarrier(t Target) func(context.Context) check.Finding {
	return func(context.Context) check.Finding {
		i, err := linkNamed(t.Interface)
		if err != nil {
			return check.CouldNotRun(err)
		}
		return judgeCarrier(i)
	}
}

func judgeCarrier(i Interface) check.Finding {
	show := "ip -details link show dev " + i.Name
	switch {
	case !i.Carrier && i.Kind == "physical":
		return check.Fail("plug in the cable of "+i.Name+", or set its other end up; ethtool "+i.Name+" shows the link", "%s has no carrier", i.Name)
	case !i.Carrier && (i.Kind == "bond" || i.Kind == "bridge" || i.Kind == "team"):
		return check.Fail("ip link show master "+i.Name, "%s has no carrier: none of its members has one", i.Name)
	case !i.Carrier:
		return check.Fail(show, "%s has no carrier: the interface below it, or its other end, is down", i.Name)
	case i.OperState == "dormant":
		f := check.Fail(show, "%s is dormant: it waits for the other side, such as 802.1X", i.Name)
		f.Mild = true
		return f
	case i.SpeedMbps > 0:
		return check.Pass("%s has a carrier, %d Mbit/s", i.Name, i.SpeedMbps)
	}
	return check.Pass("%s has a carrier", i.Name)
}

// Carries says why an interface carries production traffic; blank where nothing tells
// that it does.
func (t Target) Carries(i Interface) string {
	if i.DefaultRoute {
		return "the default route leaves through " + i.Name
	}
	for _, virtual := range t.Virtual {
		if slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Contains(virtual) }) {
			return fmt.Sprintf("%v, a virtual address of keepalived, is in the network of %s", virtual, i.Name)
		}
	}
	// keepalived gives its addresses the length of one host.
	for _, p := range i.Addresses {
		if p.Addr().Is4() && p.IsSingleIP() && len(i.Addresses) > 1 && !i.Loopback {
			return fmt.Sprintf("%v, as virtual addresses are, is on %s", p, i.Name)
		}
	}
	return ""
}

// runDedicated asks whether the interface leads to the outside world too.
func runDedicated(t Target) func(context.Context) check.Finding {
	return func(ctx context.Context) check.Finding {
		all, err := Interfaces(ctx)
		if err != nil {
			return check.CouldNotRun(err)
		}
		n := slices.IndexFunc(all, func(i Interface) bool { return i.Name == t.Interface })
		if n < 0 {
			return check.CouldNotRun(fmt.Errorf("interface %s has gone", t.Interface))
		}
		why := t.Carries(all[n])
		if why == "" {
			return check.Pass("no default route leaves through %s", t.Interface)
		}
		others := slices.DeleteFunc(slices.Clone(all), func(i Interface) bool { return t.Carries(i) != "" })
		return NotDedicated("Interface Name: "+choose("choose a dedicated interface", others), why)
	}
}

// NotDedicated is the finding of [CheckDedicated] about an interface that carries more.
func NotDedicated(remedy, why string) check.Finding {
	return check.Fail(remedy, "%s, so production traffic shares it with sync", why)
}
