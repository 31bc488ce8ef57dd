package netcheck

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/netcheck/dump"
	"connsync/trust"
)

// outsideLinks is the set of links, by index, through which the outside world
// is reached: those that carry a default route in any table, and those the
// kernel names for an outside address (two half-internet routes, a rule).
func outsideLinks(ctx context.Context) (map[int]bool, error) {
	indexes, err := dump.All(ctx, defaultRouteLinks)
	if err != nil {
		return nil, err
	}
	out := make(map[int]bool)
	for _, i := range indexes {
		out[i] = true
	}
	// Addresses of a.root-servers.net: public and routed nowhere special.
	// Nothing is sent.
	for _, addr := range []string{"198.41.0.4", "2001:503:ba3e::2:30"} {
		routes, err := trust.Message(func() ([]netlink.Route, error) { return netlink.RouteGet(netip.MustParseAddr(addr).AsSlice()) })
		if err != nil { // no way out in this family
			continue
		}
		for _, r := range routes {
			if r.Type == unix.RTN_UNICAST {
				out[r.LinkIndex] = true
			}
		}
	}
	return out, nil
}

// defaultRouteLinks dumps the routes of both families and reads only those
// with an empty destination, so that a full table costs little.
func defaultRouteLinks() ([]int, error) {
	var out []int
	var interrupted error
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
		req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
		err := req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE, func(m []byte) bool {
			msg := nl.DeserializeRtMsg(m)
			if msg.Dst_len == 0 && msg.Type == unix.RTN_UNICAST && msg.Flags&unix.RTM_F_CLONED == 0 {
				out = append(out, outputLinks(m[msg.Len():])...)
			}
			return true
		})
		switch {
		case errors.Is(err, netlink.ErrDumpInterrupted):
			interrupted = err
		case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP): // IPv6 is not built in
		case err != nil:
			return nil, err
		}
	}
	return out, interrupted
}

// outputLinks reads the links of a route's attributes: RTA_OIF, or one per
// next hop (struct rtnexthop) in RTA_MULTIPATH.
func outputLinks(attributes []byte) []int {
	attrs, err := trust.Message(func() ([]syscall.NetlinkRouteAttr, error) { return nl.ParseRouteAttr(attributes) })
	if err != nil {
		return nil
	}
	var out []int
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.RTA_OIF:
			if len(a.Value) >= 4 {
				out = append(out, int(binary.NativeEndian.Uint32(a.Value)))
			}
		case unix.RTA_MULTIPATH:
			for b := a.Value; len(b) >= unix.SizeofRtNexthop; {
				size := int(binary.NativeEndian.Uint16(b))
				if size < unix.SizeofRtNexthop {
					break
				}
				out = append(out, int(binary.NativeEndian.Uint32(b[4:])))
				b = b[min((size+3)&^3, len(b)):]
			}
		}
	}
	return out
}
