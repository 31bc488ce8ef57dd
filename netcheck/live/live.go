// Package live is the link to the peer as it is now: those checks of netcheck that
// cost the host and the link next to nothing, for asking again and again, and
// whether the peer's daemon is heard.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/trust"
)

// CheckPeerHeard is a check of [Plan] that netcheck's plan does not have.
const CheckPeerHeard check.ID = "peer-heard"

// Plan returns the checks of a target that say how its link is now. They send ARP or
// neighbour solicitations, echo requests and datagrams without content, no more.
func Plan(t netcheck.Target) []check.Check {
	var checks []check.Check
	for _, c := range netcheck.Plan(t) {
		switch c.ID {
		case netcheck.CheckInterface, netcheck.CheckLinkUp, netcheck.CheckCarrier, netcheck.CheckCurrentAssigned,
			netcheck.CheckPeerDistinct, netcheck.CheckSameSubnet, netcheck.CheckRoute, netcheck.CheckDuplicateAddress,
			netcheck.CheckPeerLink, netcheck.CheckPeerPing, netcheck.CheckPeerPort:
			checks = append(checks, c)
		}
	}
	return append(checks, check.Check{
		ID: CheckPeerHeard, Title: "Peer is heard on the port", Severity: check.Warning,
		Needs: []check.ID{netcheck.CheckCarrier, netcheck.CheckPeerLink},
		Run:   func(ctx context.Context) check.Finding { return peerHeard(ctx, t) },
	})
}

// Heard says whether the peer's daemon sends to the target's port; nil where nobody could
// listen. It takes up to two seconds.
func Heard(ctx context.Context, t netcheck.Target) *bool {
	found := peerHeard(ctx, t)
	if found.Status == check.Unknown {
		return nil
	}
	heard := found.Status == check.Passed
	return &heard
}

// heardPatience is how long the peer's daemon is listened for: it sends at least one
// message a second.
const heardPatience = 2200 * time.Millisecond

// peerHeard asks whether the peer's daemon sends to the port. It sends nothing itself.
func peerHeard(ctx context.Context, t netcheck.Target) check.Finding {
	peer := t.Peer.Addr().Unmap().WithZone("")
	listening, cancel := context.WithTimeout(ctx, heardPatience)
	defer cancel()
	datagrams, err := netcheck.ListenSync(listening, t.Flow)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return check.Finding{Status: check.Unknown, Err: err, Detail: "only root with CAP_NET_RAW may listen for the peer", Remedy: trust.NetRaw.AsRoot()}
	}
	if err != nil {
		return check.CouldNotRun(fmt.Errorf("listen for the peer: %w", err))
	}
	for d := range datagrams {
		if isSync(d, t) {
			return check.Pass("%v is heard on UDP port %d", peer, t.Port)
		}
	}
	if ctx.Err() != nil {
		return check.CouldNotRun(context.Cause(ctx))
	}
	f := check.Fail(fmt.Sprintf("set up connsync on the peer too, with Port %d", t.Port), "%v sends nothing to UDP port %d here", peer, t.Port)
	f.Mild = true
	return f
}

// isSync says that a datagram is of the peer's daemon, for a daemon with the target's
// settings. The peer's own checks send datagrams without content.
func isSync(d netcheck.Datagram, t netcheck.Target) bool {
	to := t.Group
	if !to.IsValid() {
		to = t.Current.Addr().Unmap().WithZone("")
	}
	return !d.Own && !d.Refused && d.From == t.Peer.Addr().Unmap().WithZone("") && d.To == to &&
		d.Port == t.Port && d.Device == t.Interface && len(d.Payload) > 0
}
