package netcheck

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/route"
)

// judge weighs the answers.
func (v *routeView) judge() check.Finding {
	t, p := v.target, v.plain
	peer := t.Peer.Addr().Unmap()
	switch {
	case v.byPort:
		return check.Finding{Status: check.Unknown, Remedy: t.ip("rule list"),
			Detail: fmt.Sprintf("a policy rule chooses the way between %v and %v by the source port of the sync datagrams, which is any", t.Current.Addr().Unmap(), peer)}
	case p.err != nil:
		return v.judgeError(p.err, "", v.way(peer.Is6() && peer.IsLinkLocalUnicast(), false))
	case p.kind == unix.RTN_LOCAL:
		return check.Fail("Peer IP: the other node's address", "the kernel takes %v for an address of this node", peer)
	case p.kind != unix.RTN_UNICAST:
		return check.Fail("Peer IP: the other node's address", "the kernel takes %v for a %s address", peer, route.KindName(p.kind))
	case p.link != v.link:
		return check.Fail(v.hostRoute(p), "the kernel reaches %v through %s%s, not through %s", peer, v.name(p.link), v.via(p), t.Interface)
	case p.gateway.IsValid():
		return check.Fail(v.hostRoute(p), "the kernel reaches %v through the gateway %v, not on the link itself", peer, p.gateway)
	}
	if v.in.err != nil || v.in.kind != unix.RTN_LOCAL {
		return v.judgeIn()
	}
	for _, other := range []struct {
		answer routeAnswer
		manner string
		way    route.Way
	}{
		{v.out, " through " + t.Interface, v.way(true, false)},
		{v.from, fmt.Sprintf(" from %v", t.Current.Addr()), v.way(peer.Is6() && peer.IsLinkLocalUnicast(), true)},
		{v.outFrom, fmt.Sprintf(" from %v through %s", t.Current.Addr(), t.Interface), v.way(true, true)},
	} {
		if other.answer.err != nil {
			f := v.judgeError(other.answer.err, other.manner, other.way)
			f.Mild = v.outFrom.err == nil // neither the daemon, which binds nothing, nor the probes meet it
			return f
		}
	}
	return v.judgeSource()
}

// judgeIn explains why what the peer sends would not reach this node's sockets.
func (v *routeView) judgeIn() check.Finding {
	t, peer, current := v.target, v.target.Peer.Addr().Unmap(), v.target.Current.Addr().Unmap()
	err := v.in.err
	switch {
	case err == nil:
		return check.Fail(t.ip("rule list"), "a policy rule does not take what comes from %v to %v on %s for this node's", peer, current, t.Interface)
	case errors.Is(err, unix.EINVAL) && peer.Is4():
		return check.Finding{Status: check.Failed, Err: err, Remedy: fmt.Sprintf("sysctl -w net.ipv4.conf.%s.rp_filter=2; ", t.Interface) + t.ip("rule list"),
			Detail: fmt.Sprintf("this node drops what comes from %v on %s for its source (rp_filter): the way back from %v is another", peer, t.Interface, current)}
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		remedy := route.Forbidding(route.Way{To: current, From: peer, In: t.Interface, Port: t.Port})
		if remedy == "" {
			remedy = t.ip("rule list")
		}
		return check.Finding{Status: check.Failed, Err: err, Remedy: remedy,
			Detail: fmt.Sprintf("a policy rule keeps what comes from %v to %v on %s from this node", peer, current, t.Interface)}
	}
	return check.CouldNotRun(err)
}

// judgeSource is for a peer that is reached on the right link: does Current IP
// go with it?
func (v *routeView) judgeSource() check.Finding {
	t, current := v.target, v.target.Current.Addr().Unmap()
	peer := t.Peer.Addr().Unmap()
	var f check.Finding
	switch {
	case !v.from.direct(v.link):
		f = check.Fail(t.ip("rule list"), "a policy rule sends packets from %v to %v through %s%s", current, peer, v.name(v.from.link), v.via(v.from))
	case v.plain.source.IsValid() && v.plain.source != current:
		f = check.Fail(v.hostRoute(v.plain), "the kernel sends to %v from %v, not from Current IP %v", peer, v.plain.source, current)
	default:
		return check.Pass("the kernel reaches %v directly through %s, from %v", peer, t.Interface, current)
	}
	// The daemon asks for no source and takes datagrams from any, so it does
	// replicate; a firewall that expects Current IP would not let it.
	f.Mild = true
	return f
}

// way is that of a lookup through the interface, or from Current IP.
func (v *routeView) way(through, from bool) route.Way {
	w := route.Way{To: v.target.Peer.Addr().Unmap(), Port: v.target.Port}
	if through {
		w.Out = v.target.Interface
	}
	if from {
		w.From = v.target.Current.Addr().Unmap()
	}
	return w
}

// judgeError explains an error of a lookup made in the given manner.
func (v *routeView) judgeError(err error, manner string, way route.Way) check.Finding {
	t, peer := v.target, v.target.Peer.Addr().Unmap()
	var what string
	switch {
	case errors.Is(err, unix.EACCES):
		what = "a prohibit route or rule forbids"
	case errors.Is(err, unix.EINVAL):
		what = "a blackhole route or rule swallows"
	case errors.Is(err, unix.EHOSTUNREACH):
		what = "an unreachable route or rule refuses"
	case errors.Is(err, unix.ENETUNREACH) && route.RefusedByRule(way):
		what = "an unreachable policy rule refuses"
	case errors.Is(err, unix.ENETUNREACH):
		return check.Finding{Status: check.Failed, Err: err, Remedy: v.subnetRoute(),
			Detail: fmt.Sprintf("there is no route to %v%s", peer, manner)}
	default:
		return check.CouldNotRun(err)
	}
	f := check.Fail(route.Forbidding(way), "%s packets to %v%s", what, peer, manner)
	if f.Remedy == "" {
		f.Remedy = t.ip("route get %v", peer) + "; " + t.ip("rule list")
	}
	f.Err = err
	return f
}

// hostRoute is the command that sends the peer's packets, and only those, out
// of the chosen interface from Current IP. It goes into the table in which the
// kernel found the present answer.
func (v *routeView) hostRoute(found routeAnswer) string {
	peer := v.target.Peer.Addr().Unmap()
	cmd := v.target.ip("route replace %v/%d dev %s src %v", peer, peer.BitLen(), v.target.Interface, v.target.Current.Addr().Unmap())
	if found.table != 0 && found.table != unix.RT_TABLE_MAIN && found.table != unix.RT_TABLE_LOCAL {
		cmd += fmt.Sprintf(" table %d", found.table)
	}
	return cmd
}

// subnetRoute is the command that adds the route that an address usually
// brings along.
func (v *routeView) subnetRoute() string {
	current := unmapPrefix(v.target.Current)
	if current.Bits() <= 0 || current.IsSingleIP() {
		return v.hostRoute(routeAnswer{})
	}
	return v.target.ip("route add %v dev %s src %v", current.Masked(), v.target.Interface, current.Addr())
}

// ip is an ip(8) command of the target's family.
func (t Target) ip(format string, args ...any) string {
	cmd := "ip "
	if t.Family() == 6 {
		cmd = "ip -6 "
	}
	return cmd + fmt.Sprintf(format, args...)
}

func (v *routeView) name(link int) string {
	if name, ok := v.names[link]; ok {
		return name
	}
	return fmt.Sprintf("interface number %d", link)
}

func (v *routeView) via(a routeAnswer) string {
	if a.gateway.IsValid() {
		return fmt.Sprintf(" and the gateway %v", a.gateway)
	}
	return ""
}
