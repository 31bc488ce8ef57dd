package health

import (
	"fmt"
	"net/netip"

	"connsync/conntrackd"
)

// ListenAddress is where the daemon listens with settings s: Current IP, or the group.
func ListenAddress(s conntrackd.Settings) string {
	at := s.Current.Addr()
	if s.Multicast() {
		at = s.Group()
	}
	return netip.AddrPortFrom(at, s.Port).String()
}

// boundAt is the address of the daemon's socket: for a group it is bound to all.
func boundAt(s conntrackd.Settings) netip.Addr {
	switch {
	case !s.Multicast():
		return s.Current.Addr().WithZone("").Unmap()
	case s.Group().Is4():
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// BoundProblem says how the sockets differ from what s asks for; blank when
// they do not.
func BoundProblem(k Sockets, s conntrackd.Settings) string {
	want := ListenAddress(s)
	switch {
	case !k.Bound && k.Address == "":
		return fmt.Sprintf("it has no socket on %s", want)
	case !k.Bound:
		return fmt.Sprintf("it listens on %s, not on %s", k.Address, want)
	case k.ReceiveBuffer < doubled(s.ReceiveBuffer):
		return fmt.Sprintf("its receive buffer is %d bytes, not %d", k.ReceiveBuffer, doubled(s.ReceiveBuffer))
	// Zero: the sending socket has not sent yet, and is not in the table.
	case k.SendBuffer > 0 && k.SendBuffer < doubled(s.SendBuffer):
		return fmt.Sprintf("its send buffer is %d bytes, not %d", k.SendBuffer, doubled(s.SendBuffer))
	}
	return ""
}

// doubled is what the kernel makes of a requested buffer size: it doubles it,
// up to a limit (net/core/sock.c).
// Nothing is asked for with less than one byte.
func doubled(asked int) int { return int(min(2*int64(max(asked, 0)), 1<<31-2)) }
