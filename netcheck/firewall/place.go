package firewall

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/dump"
)

// device is where a base chain sees a packet; the zero value is none.
type device struct {
	iface       string
	index       int
	group, kind uint32 // kind is its ARPHRD; 0 where it is not known
	// direct says that the way back to the source leaves through it.
	direct bool
	// lower says that it is below the sync interface, several that it is one of more,
	// and which one is not known, tagged that a VLAN may have its tag there.
	lower, several, tagged bool
	// bridged says that they have come through the port of a bridge, where IP may track them
	// already (br_netfilter).
	bridged bool
}

func deviceOf(link netlink.Link) device {
	d := device{iface: link.Attrs().Name, index: link.Attrs().Index, group: link.Attrs().Group}
	if link.Attrs().EncapType == "ether" {
		d.kind = unix.ARPHRD_ETHER
	}
	return d
}

// beneath is a device that the packets of an interface go through below it: a port of a
// bridge, a member of a bond, or what a VLAN or a macvlan is on.
type beneath struct {
	device
	level int // 1 is right below the interface
	// port says that it is a bridge's; of the bridge, above says that the packets
	// certainly go through it, and only the same of the device itself.
	port, above, only bool
}

// maxLevels is how many devices the kernel lets stand on each other (MAX_NEST_DEV).
const maxLevels = 8

// Below are an interface and what its packets go through below it: the ports of a bridge,
// the members of a bond, or what a VLAN or a macvlan is on.
func Below(ctx context.Context, iface string) ([]netlink.Link, error) {
	link, err := netlink.LinkByName(iface)
	if err != nil {
		return nil, err
	}
	all := []netlink.Link{link}
	lower, err := below(ctx, link)
	for _, b := range lower {
		one, err := netlink.LinkByIndex(b.index)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, err
}

// below lists what is below an interface.
func below(ctx context.Context, link netlink.Link) ([]beneath, error) {
	if !isStacked(link) {
		return nil, nil
	}
	links, err := dump.All(ctx, netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var all []beneath
	uppers, sure := []netlink.Link{link}, true
	for level := 1; level <= maxLevels && len(uppers) > 0; level++ {
		var next []netlink.Link
		first, above := len(all), sure
		for _, upper := range uppers {
			for _, l := range links {
				if !isBelow(l, upper) {
					continue
				}
				d := deviceOf(l)
				d.lower, d.bridged = true, l.Type() == "bridge"
				// Two macvlans of one device reach each other without it, and a VLAN
				// may have its tag where rules look for addresses.
				sure = above && upper.Attrs().ParentIndex == 0
				bridge, _ := upper.(*netlink.Bridge)
				d.tagged = !sure || bridge != nil && bridge.VlanFiltering != nil && *bridge.VlanFiltering
				all = append(all, beneath{d, level, upper.Type() == "bridge", above, sure})
				if isStacked(l) {
					next = append(next, l)
				}
			}
		}
		for i := first; i < len(all) && len(all)-first > 1; i++ {
			all[i].only, all[i].several, sure = false, true, false
		}
		uppers = next
	}
	return all, nil
}

func isStacked(l netlink.Link) bool {
	return slices.Contains([]string{"bridge", "bond", "team", "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"}, l.Type())
}

func isBelow(l, upper netlink.Link) bool {
	if parent := upper.Attrs().ParentIndex; parent != 0 {
		return l.Attrs().Index == parent && upper.Attrs().NetNsID < 0
	}
	return l.Attrs().MasterIndex == upper.Attrs().Index
}

// place is where a packet meets a base chain.
type place struct {
	chain  *chain
	device device
	level  int // as in beneath
	sure   bool
}

// places are where the packets of an interface meet a base chain, if at all.
func (r *ruleset) places(c *chain, on device) []place {
	lower := r.below[on.iface]
	if c.Family == nftables.TableFamilyBridge {
		i := slices.IndexFunc(lower, func(b beneath) bool { return b.port })
		if i < 0 || c.Hook == hookForward {
			return nil
		}
		return []place{{c, lower[i].device, lower[i].level, lower[i].above}}
	}
	var all []place
	if c.meets(on.iface) {
		on.bridged = slices.ContainsFunc(lower, func(b beneath) bool { return b.port })
		all = append(all, place{c, on, 0, true})
	}
	for _, b := range lower {
		if (c.ingress() || c.egress()) && c.meets(b.iface) {
			b.several = false // the chain knows it
			all = append(all, place{c, b.device, b.level, b.only})
		}
	}
	return all
}

// way are the places where a packet meets base chains, in order.
func (r *ruleset) way(p *firstPacket) []place {
	var all []place
	for _, c := range r.base {
		if c.incoming() == p.in && c.concerns(p) {
			all = append(all, r.places(c, p.device)...)
		}
	}
	slices.SortStableFunc(all, func(a, b place) int {
		if a.stage() != b.stage() {
			return a.stage() - b.stage()
		}
		return int(a.chain.Priority) - int(b.chain.Priority)
	})
	return all
}

// stage is when a packet meets a hook: the kernel numbers those of one level in that
// order, ingress comes before them and egress after. What is lower is earlier on the way
// in and later on the way out; the hooks of a bridge are above those of its ports.
func (at place) stage() int {
	const levels = 10
	c, hook := at.chain, int(at.chain.Hook)
	switch {
	case c.ingress():
		return -1 - levels*at.level
	case c.egress():
		return hookPostrouting + 1 + levels*at.level
	case c.Family == nftables.TableFamilyBridge && c.incoming():
		return hook - levels*at.level
	case c.Family == nftables.TableFamilyBridge:
		return hook + levels*at.level - hookPostrouting - 1
	}
	return hook
}

// admitBelow are the commands that let the sync through a chain below the sync interface.
func (f Flow) admitBelow(c *chain) string {
	o := c.opening()
	if c.program != "" {
		return fmt.Sprintf("%s -t %s -L", c.program, c.Table)
	}
	if !plainName().MatchString(o.Table) || !plainName().MatchString(o.Chain) {
		return "nft list ruleset"
	}
	var commands []string
	for _, match := range f.matches(o) {
		_, match, _ = strings.Cut(match, fmt.Sprintf("ifname %q ", f.Interface))
		commands = append(commands, fmt.Sprintf("nft 'insert rule %v %s accept'", o, match))
	}
	return strings.Join(commands, "; ")
}
