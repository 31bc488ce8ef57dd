package netcheck

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// findForbidding returns the ip(8) command that removes what makes the kernel
// refuse packets to peer: the first policy rule that does, else the most
// specific route. "" when neither is found.
func (t Target) findForbidding(peer, from netip.Addr, link string) string {
	ip, family := "ip", unix.AF_INET
	if peer.Is6() {
		ip, family = "ip -6", unix.AF_INET6
	}
	if pref, ok := forbiddingRule(family, peer, from, link, t.Port); ok {
		return fmt.Sprintf("%s rule del pref %d", ip, pref)
	}
	var best netlink.Route
	bits := -1
	err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if !refuses(r.Type) || r.Dst == nil {
			return true
		}
		if ones, _ := r.Dst.Mask.Size(); ones > bits && r.Dst.Contains(peer.AsSlice()) {
			best, bits = r, ones
		}
		return true
	})
	if err != nil || bits < 0 {
		return ""
	}
	cmd := fmt.Sprintf("%s route del %s %v", ip, kindName(best.Type), best.Dst)
	if best.Table != unix.RT_TABLE_MAIN {
		cmd += fmt.Sprintf(" table %d", best.Table)
	}
	return cmd
}

func refuses(kind int) bool {
	return kind == unix.RTN_BLACKHOLE || kind == unix.RTN_UNREACHABLE || kind == unix.RTN_PROHIBIT
}

// forbiddingRule returns the preference of the first rule that refuses packets
// to a UDP port of peer, whatever else they are. netlink.RuleList leaves the action out, so the
// dump is read here; the actions have the numbers of the route types (linux/fib_rules.h).
func forbiddingRule(family int, peer, from netip.Addr, link string, port uint16) (pref int, ok bool) {
	const destinationMask = 29 // FRA_DPORT_MASK, of one port
	req := nl.NewNetlinkRequest(unix.RTM_GETRULE, unix.NLM_F_DUMP)
	req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	err := req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWRULE, func(m []byte) bool {
		msg := nl.DeserializeRtMsg(m)
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil || !refuses(int(msg.Type)) {
			return true
		}
		ok = msg.Flags&unix.FIB_RULE_INVERT == 0 && msg.Tos == 0
		pref = 0 // which the kernel leaves out
		for _, a := range attrs {
			switch a.Attr.Type {
			case nl.FRA_PRIORITY:
				pref = int(binary.NativeEndian.Uint32(a.Value))
			case nl.FRA_DST:
				ok = ok && within(a.Value, int(msg.Dst_len), peer)
			case nl.FRA_SRC:
				ok = ok && within(a.Value, int(msg.Src_len), from)
			case nl.FRA_OIFNAME:
				ok = ok && string(a.Value) == link+"\x00"
			case nl.FRA_IIFNAME:
				ok = ok && string(a.Value) == "lo\x00"
			case nl.FRA_TABLE, nl.FRA_PROTOCOL, nl.FRA_SUPPRESS_PREFIXLEN, nl.FRA_SUPPRESS_IFGROUP, nl.FRA_FLOW, nl.FRA_PAD: // no selectors
			case nl.FRA_IP_PROTO:
				ok = ok && a.Value[0] == unix.IPPROTO_UDP
			case nl.FRA_DPORT_RANGE: // first and last
				ok = ok && port >= binary.NativeEndian.Uint16(a.Value) && port <= binary.NativeEndian.Uint16(a.Value[2:])
			case destinationMask:
				ok = ok && binary.NativeEndian.Uint16(a.Value) == 0xffff
			default:
				ok = false // a mark, a user, a source port: whose packets those are is not known here
			}
		}
		return !ok
	})
	return pref, ok && err == nil
}

func within(network []byte, bits int, addr netip.Addr) bool {
	n, ok := netip.AddrFromSlice(network)
	return ok && netip.PrefixFrom(n, bits).Contains(addr)
}
