package netcheck

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
	"connsync/netcheck/ipsec"
)

// cannotTalk is the finding for a socket to the peer that could not be made.
func cannotTalk(ctx context.Context, t Target, link Interface, err error, what, detail string) check.Finding {
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		return explainRefusal(ctx, t, link, err, what)
	}
	return linkUnknown(err, detail)
}

// explainRefusal is the finding for an error about packets of one kind that
// were sent to the peer.
func explainRefusal(ctx context.Context, t Target, link Interface, err error, what string) check.Finding {
	if isDown(link.Name) { // whatever the error of the moment was
		return down(link.Name)
	}
	peer, current := t.Peer.Addr().Unmap().WithZone(""), t.Current.Addr().Unmap().WithZone("")
	f := check.Finding{Status: check.Failed, Err: err, Remedy: t.ip("route get %v oif %s", peer, link.Name)}
	r := &refusal{}
	errors.As(err, &r)
	switch {
	case r.offender.IsValid() && r.offender == peer:
		f.Detail = fmt.Sprintf("the firewall of the peer %v rejects %s%s", peer, what, r.manner())
		f.Remedy = t.pingRule()
	case errors.Is(err, unix.EHOSTUNREACH) && r.offender == current && !r.prohibited():
		f.Detail = fmt.Sprintf("%v does not answer %s on %s: it is not there", peer, t.resolution(), link.Name)
		f.Remedy = t.ip("neighbour show %v dev %s", peer, link.Name)
	case r.offender.IsValid() && r.offender != current:
		f.Detail = fmt.Sprintf("%v, which is not the peer, rejects %s to %v%s", r.offender, what, peer, r.manner())
		f.Remedy = t.ip("route get %v", peer)
	case r.offender.IsValid(), errors.Is(err, unix.EPERM), errors.Is(err, unix.ECONNREFUSED):
		f.Detail, f.Remedy = ipsec.Refused(ctx, t.Flow, what, errors.Is(err, unix.EPERM))
	case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENETUNREACH):
		f.Detail = fmt.Sprintf("%s went down, or lost its route to %v, during the check", link.Name, peer)
		f.Remedy = "ip link set dev " + link.Name + " up"
	case errors.Is(err, unix.EACCES):
		f.Detail = fmt.Sprintf("the kernel forbids %s to %v: a prohibit route or a broadcast address", what, peer)
	default:
		f.Detail = fmt.Sprintf("%s to %v cannot be sent: %v", what, peer, err)
	}
	return f
}

// manner is how a firewall refused.
func (r *refusal) manner() string {
	if r.prohibited() {
		return " (administratively prohibited)"
	}
	return fmt.Sprintf(" (ICMP type %d code %d)", r.kind, r.code)
}
