package netcheck

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
)

// judge weighs the answers. forbidding finds the route or rule behind an
// error, as the command that removes it.
func (v *routeView) judge(forbidding func(peer, from netip.Addr, link string) string) check.Finding {
	t, p := v.target, v.plain
	peer := t.Peer.Addr().Unmap()
	switch {
	case p.err != nil:
		return v.judgeError(p.err, "", forbidding)
	case p.kind == unix.RTN_LOCAL:
		return check.Fail("Peer IP: the other node's address", "the kernel takes %v for an address of this node", peer)
	case p.kind != unix.RTN_UNICAST:
		return check.Fail("Peer IP: the other node's address", "the kernel takes %v for a %s address", peer, kindName(p.kind))
	case p.link != v.link:
		return check.Fail(v.hostRoute(p), "the kernel reaches %v through %s%s, not through %s", peer, v.name(p.link), v.via(p), t.Interface)
	case p.gateway.IsValid():
		return check.Fail(v.hostRoute(p), "the kernel reaches %v through the gateway %v, not on the link itself", peer, p.gateway)
	}
	for _, other := range []struct {
		answer routeAnswer
		manner string
	}{
		{v.out, " through " + t.Interface},
		{v.from, fmt.Sprintf(" from %v", t.Current.Addr())},
		{v.outFrom, fmt.Sprintf(" from %v through %s", t.Current.Addr(), t.Interface)},
	} {
		if other.answer.err != nil {
			return v.judgeError(other.answer.err, other.manner, forbidding)
		}
	}
	return v.judgeSource()
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

// judgeError explains an error of a lookup made in the given manner.
func (v *routeView) judgeError(err error, manner string, forbidding func(peer, from netip.Addr, link string) string) check.Finding {
	t, peer := v.target, v.target.Peer.Addr().Unmap()
	var what string
	switch {
	case errors.Is(err, unix.EACCES):
		what = "a prohibit route or rule forbids"
	case errors.Is(err, unix.EINVAL):
		what = "a blackhole route or rule swallows"
	case errors.Is(err, unix.EHOSTUNREACH):
		what = "an unreachable route or rule refuses"
	case errors.Is(err, unix.ENETUNREACH):
		return check.Finding{Status: check.Failed, Err: err, Remedy: v.subnetRoute(),
			Detail: fmt.Sprintf("there is no route to %v%s", peer, manner)}
	default:
		return check.CouldNotRun(err)
	}
	f := check.Fail(forbidding(peer, t.Current.Addr().Unmap(), t.Interface), "%s packets to %v%s", what, peer, manner)
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

// kindName is the name that ip(8) has for a route type.
func kindName(kind int) string {
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
