package netcheck

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/dump"
	"connsync/netcheck/ethtool"
)

// Interface is one network interface of this host (rtnetlink(7)). Text in it
// comes from whoever set it and may hold control characters.
type Interface struct {
	Index    int
	Name     string
	Alias    string // ifalias, as it is
	AltNames []string
	// Kind is "physical", "loopback", or the kernel's name of the kind of
	// virtual interface: veth, bond, vlan, bridge, macvlan, dummy, tuntap, ...
	// "other" when the kernel does not say.
	Kind string
	// Up is the administrative state (IFF_UP), Carrier whether the lower layer
	// is up (IFF_LOWER_UP).
	Up, Carrier bool
	// OperState is the RFC 2863 state: up, down, unknown, lower-layer-down,
	// dormant, testing, not-present. Loopback and tunnels are "unknown".
	OperState string
	SpeedMbps int // 0 is unknown
	MTU       int
	// HardwareAddr is nil where there is none.
	HardwareAddr net.HardwareAddr
	// Addresses are all addresses, link-local ones included, IPv4 unmapped.
	Addresses []netip.Prefix
	// Tentative and DADFailed are those of Addresses that cannot be used yet,
	// or at all, because duplicate address detection (RFC 4862) has not
	// finished or found another owner.
	Tentative, DADFailed []netip.Addr
	// Master is the bond, bridge or VRF this interface is a member of;
	// MasterKind is its Kind. Blank when it is in none.
	Master, MasterKind string
	// Parent is the interface on which a VLAN, macvlan or ipvlan stands; blank for
	// others, and where that is in another network namespace.
	Parent string
	// DefaultRoute says that a default route of either family, in any table,
	// leaves through this interface, or that outside addresses are reached
	// through it in another way.
	DefaultRoute bool
	Loopback     bool
	// Carries is why it carries production traffic; [Interfaces] leaves it blank.
	Carries string
}

// Has reports whether addr is on the interface.
func (i Interface) Has(addr netip.Addr) bool {
	_, ok := i.prefixOf(addr)
	return ok
}

// prefixOf returns the entry of Addresses that holds addr.
func (i Interface) prefixOf(addr netip.Addr) (netip.Prefix, bool) {
	addr = addr.Unmap().WithZone("")
	for _, p := range i.Addresses {
		if p.Addr() == addr {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// Interfaces lists the interfaces of the calling thread's network namespace,
// by index. It costs one dump each of links, addresses and routes, whatever
// their number.
func Interfaces(ctx context.Context) ([]Interface, error) {
	links, err := dump.All(ctx, netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	addrs, err := dump.All(ctx, func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	outside, err := outsideLinks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list default routes: %w", err)
	}
	return join(links, addrs, outside), nil
}

// onAnother are the kinds whose IFLA_LINK is the interface that they stand on.
var onAnother = []string{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"}

// join puts links, addresses and the set of outward links together.
func join(links []netlink.Link, addrs []netlink.Addr, outside map[int]bool) []Interface {
	eth := ethtool.Open()
	defer eth.Close()
	byIndex := make(map[int]int, len(links))
	out := make([]Interface, 0, len(links))
	for _, l := range links {
		i := fromLink(l, eth)
		i.DefaultRoute = outside[i.Index]
		byIndex[i.Index] = len(out)
		out = append(out, i)
	}
	for _, l := range links {
		a := l.Attrs()
		if p, ok := byIndex[a.ParentIndex]; ok && slices.Contains(onAnother, l.Type()) && a.NetNsID < 0 {
			out[byIndex[a.Index]].Parent = out[p].Name
		}
		if m, ok := byIndex[a.MasterIndex]; ok && a.MasterIndex != 0 {
			i := &out[byIndex[a.Index]]
			i.Master, i.MasterKind = out[m].Name, out[m].Kind
		}
	}
	for _, a := range addrs {
		n, ok := byIndex[a.LinkIndex]
		if !ok || a.IPNet == nil { // the link came after the first dump
			continue
		}
		addAddress(&out[n], a)
	}
	slices.SortFunc(out, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	return out
}

func addAddress(i *Interface, a netlink.Addr) {
	addr, ok := netip.AddrFromSlice(a.IP)
	if !ok {
		return
	}
	addr = addr.Unmap()
	ones, _ := a.Mask.Size()
	i.Addresses = append(i.Addresses, netip.PrefixFrom(addr, ones))
	switch {
	case a.Flags&unix.IFA_F_DADFAILED != 0:
		i.DADFailed = append(i.DADFailed, addr)
	case a.Flags&unix.IFA_F_TENTATIVE != 0 && a.Flags&unix.IFA_F_OPTIMISTIC == 0:
		i.Tentative = append(i.Tentative, addr)
	}
}

func fromLink(l netlink.Link, eth ethtool.Socket) Interface {
	a := l.Attrs()
	i := Interface{
		Index:        a.Index,
		Name:         a.Name,
		Alias:        a.Alias,
		AltNames:     a.AltNames,
		Up:           a.RawFlags&unix.IFF_UP != 0,
		Carrier:      a.RawFlags&unix.IFF_LOWER_UP != 0,
		OperState:    a.OperState.String(),
		MTU:          a.MTU,
		HardwareAddr: a.HardwareAddr,
		Loopback:     a.RawFlags&unix.IFF_LOOPBACK != 0,
	}
	i.Kind = kind(l, i.Loopback, eth)
	if i.Up && i.Carrier && !i.Loopback {
		i.SpeedMbps = eth.Speed(i.Name)
	}
	return i
}

// kind names the kind of link. What has no IFLA_INFO_KIND ("device" in
// netlink) is hardware when it hangs on a bus.
func kind(l netlink.Link, loopback bool, eth ethtool.Socket) string {
	switch t := l.Type(); {
	case loopback:
		return "loopback"
	case t != "device" && t != "":
		return t
	case l.Attrs().ParentDev != "" || eth.OnBus(l.Attrs().Name):
		return "physical"
	default:
		return "other"
	}
}

// Neighbours lists the addresses that the kernel has learned on an interface,
// both families, link-local ones without zone. It is a cache: what is missing
// may well be there.
func Neighbours(ctx context.Context, ifindex int) ([]netip.Addr, error) {
	neighs, err := dump.All(ctx, func() ([]netlink.Neigh, error) { return netlink.NeighList(ifindex, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list neighbours of interface %d: %w", ifindex, err)
	}
	const known = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE | netlink.NUD_PERMANENT
	var out []netip.Addr
	for _, n := range neighs {
		addr, ok := netip.AddrFromSlice(n.IP)
		if !ok || n.State&known == 0 || addr.IsMulticast() {
			continue
		}
		out = append(out, addr.Unmap())
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
