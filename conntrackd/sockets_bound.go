package conntrackd

import (
	"fmt"
	"net/netip"
)

// listenAddress is where the daemon listens with settings s.
func listenAddress(s Settings) string {
	return netip.AddrPortFrom(s.Current.Addr(), s.Port).String()
}

// boundProblem says how the sockets differ from what s asks for; blank when
// they do not.
func boundProblem(k Sockets, s Settings) string {
	want := listenAddress(s)
	switch {
	case !k.Bound && k.Address == "":
		return fmt.Sprintf("it has no socket on %s", want)
	case !k.Bound:
		return fmt.Sprintf("it listens on %s, not on %s", k.Address, want)
	case k.ReceiveBuffer < inForce(s.ReceiveBuffer):
		return fmt.Sprintf("its receive buffer is %d bytes, not %d", k.ReceiveBuffer, inForce(s.ReceiveBuffer))
	// Zero: the sending socket has not sent yet, and is not in the table.
	case k.SendBuffer > 0 && k.SendBuffer < inForce(s.SendBuffer):
		return fmt.Sprintf("its send buffer is %d bytes, not %d", k.SendBuffer, inForce(s.SendBuffer))
	}
	return ""
}

// inForce is what the kernel makes of a requested buffer size: it doubles it,
// up to a limit (net/core/sock.c).
func inForce(asked int) int { return int(min(2*int64(asked), 1<<31-2)) }
