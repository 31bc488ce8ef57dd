package route

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Way is where datagrams to a UDP port go. In is blank of what this node sends; From and Out
// are zero where its sender asks for none.
type Way struct {
	To, From netip.Addr
	In, Out  string
	Port     uint16
}

// ip is the name of ip(8) for the family of a way, and the family's number.
func (w Way) ip() (name string, family int) {
	if w.To.Is6() {
		return "ip -6", unix.AF_INET6
	}
	return "ip", unix.AF_INET
}

// RefusedByRule says whether a policy rule refuses the datagrams as unreachable, which the
// kernel tells in the same way as that there is no route.
func RefusedByRule(w Way) bool {
	_, family := w.ip()
	kind, _ := refusingRule(family, w)
	return kind == unix.RTN_UNREACHABLE
}

// Forbidding returns the ip(8) command that removes what makes the kernel
// refuse the datagrams: the first policy rule that does, else, on the way out, the most
// specific route. "" when neither is found.
func Forbidding(w Way) string {
	ip, family := w.ip()
	switch _, rule := refusingRule(family, w); {
	case rule != "":
		return ip + " " + rule
	case w.In != "":
		return ""
	}
	var best netlink.Route
	bits := -1
	err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if !refuses(r.Type) || r.Dst == nil {
			return true
		}
		if ones, _ := r.Dst.Mask.Size(); ones > bits && r.Dst.Contains(w.To.AsSlice()) {
			best, bits = r, ones
		}
		return true
	})
	if err != nil || bits < 0 {
		return ""
	}
	cmd := fmt.Sprintf("%s route del %s %v", ip, KindName(best.Type), best.Dst)
	if best.Table != unix.RT_TABLE_MAIN {
		cmd += fmt.Sprintf(" table %d", best.Table)
	}
	return cmd
}

func refuses(kind int) bool {
	return kind == unix.RTN_BLACKHOLE || kind == unix.RTN_UNREACHABLE || kind == unix.RTN_PROHIBIT
}

// KindName is the name that ip(8) has for a route type.
func KindName(kind int) string {
	switch kind {
	case unix.RTN_BROADCAST:
		return "broadcast"
	case unix.RTN_ANYCAST:
		return "anycast"
	case unix.RTN_MULTICAST:
		return "multicast"
	case unix.RTN_BLACKHOLE:
		return "blackhole"
	case unix.RTN_UNREACHABLE:
		return "unreachable"
	case unix.RTN_PROHIBIT:
		return "prohibit"
	}
	return fmt.Sprintf("type %d", kind)
}
