package health

import (
	"fmt"
	"net/netip"

	"connsync/plural"
	"connsync/trust"
)

// judgeOldSocket is for a daemon that runs with the address or port of an earlier file,
// where this node has what the settings name.
func (e evidence) judgeOldSocket() (judgement, bool) {
	s := e.settings
	has, err := netip.ParseAddrPort(e.sockets.Address)
	want := netip.AddrPortFrom(e.listensAt(), s.Port)
	if e.socketsErr != nil || e.sockets.Bound || err != nil || has.Addr().IsUnspecified() || has == want || len(e.links) > 1 || e.swapped || e.interfaceGone || e.addressGone {
		return judgement{}, false
	}
	runs, file := has.String(), want.String()
	if has.Addr() == want.Addr() {
		runs, file = fmt.Sprintf("UDP port %d", has.Port()), fmt.Sprint(want.Port())
	}
	j := judgement{VerdictMismatch, fmt.Sprintf("conntrackd still runs with %s, and the file has %s", runs, file), "restart conntrackd"}
	if e.hearing() == broken {
		j.Verdict = VerdictSilent
	}
	return j, true
}

// judgeLoss is for a sync that works both ways.
func (e evidence) judgeLoss() judgement {
	first, last, s := e.readings[0], e.last(), e.settings
	if j, done := e.judgeIntrusion(); done {
		return j
	}
	switch {
	case e.drops > 0:
		return judgement{VerdictLosing, fmt.Sprintf("the receive buffer of %d bytes overflowed: %s dropped", e.sockets.ReceiveBuffer, plural.Of(e.drops, "message was", "messages were")),
			fmt.Sprintf("raise Receive Buffer Size to %d, on both nodes", larger(s.ReceiveBuffer))}
	case last.Lost > first.Lost && e.checksumsAreWrong():
		return judgement{VerdictLosing, plural.Of(last.Lost-first.Lost, "message", "messages") + " from the peer lost; " + e.droppedForChecksum(), fillChecksums}
	case last.Lost > first.Lost:
		return judgement{VerdictLosing, plural.Of(last.Lost-first.Lost, "message", "messages") + " from the peer lost on the way",
			fmt.Sprintf("look for errors on the sync link (ip -s link show %s) and on the devices between the nodes", s.Interface)}
	case last.Overruns > first.Overruns:
		return judgement{VerdictLosing, "connections change faster than conntrackd forwards them: netlink overruns",
			fmt.Sprintf("raise Send Buffer Size to %d; in conntrackd.conf NetlinkBufferSize to 2097152 and NetlinkBufferSizeMaxGrowth to 8388608, or twice what they are", larger(s.SendBuffer))}
	case last.NoSpace > first.NoSpace:
		return judgement{VerdictLosing, fmt.Sprintf("the state table is full: %s refused", plural.Of(last.NoSpace-first.NoSpace, "state was", "states were")),
			"raise HashLimit in conntrackd.conf to " + e.hashLimit()}
	case e.asksAgain():
		return judgement{VerdictLosing, fmt.Sprintf("the peer asked %s for messages that it had lost", plural.Times(e.wire.NACKs)),
			fmt.Sprintf("on the peer, run connsync status; raise Receive Buffer Size to %d on both nodes if its buffer overflows", larger(s.ReceiveBuffer))}
	case last.Malformed > first.Malformed:
		return judgement{VerdictLosing, plural.Of(last.Malformed-first.Malformed, "message", "messages") + " could not be read",
			"look for a second sender on the sync link, and compare the versions of conntrackd (conntrackd -v)"}
	case last.ErrorsSent > first.ErrorsSent:
		return judgement{VerdictLosing, plural.Of(last.ErrorsSent-first.ErrorsSent, "message", "messages") + " could not be sent",
			fmt.Sprintf("let UDP port %d to %s pass this node's firewall, and look at the sync link (ip -s link show %s)", s.Port, s.Peer.Addr(), s.Interface)}
	}
	if j, told := e.judgeCoverage(); told {
		return j
	}
	j := judgement{Verdict: VerdictTwoWay, Cause: e.proven() + e.staleCounter()}
	if problem := BoundProblem(e.sockets, s); e.socketsErr == nil && problem != "" {
		j.Cause += "; yet " + problem
		j.Next = "restart conntrackd, so that it takes the settings of its file"
	}
	return j
}

// asksAgain says that the peer asks for messages that it has lost, again and again: what
// waits in the queue is not acknowledged then.
func (e evidence) asksAgain() bool { return e.wire.NACKs >= 2 }

// proven says what proves that the sync works both ways.
func (e evidence) proven() string {
	switch w := e.wire; {
	case !w.Listening, w.HelloBack, w.ACKs >= 2:
		return "messages from the peer arrive and it acknowledges this node's"
	}
	return "messages from the peer arrive and it has answered this conntrackd; under load it acknowledges only every 300 messages"
}

// roomyBuffer held through every stall that was measured.
const roomyBuffer = 262144

// larger is what to raise a buffer to.
func larger(asked int) int { return max(roomyBuffer, 2*asked) }

func (e evidence) hashLimit() string {
	if e.conntrackMax == 0 {
		return "twice nf_conntrack_max"
	}
	return fmt.Sprintf("%d, twice nf_conntrack_max", 2*e.conntrackMax)
}

// judgeDeafPeer is for a peer that is heard and does not hear us.
func (e evidence) judgeDeafPeer() judgement {
	peer, first, last, port := e.settings.Peer.Addr(), e.readings[0], e.last(), e.settings.Port
	switch {
	case last.ErrorsSent > first.ErrorsSent:
		return judgement{VerdictReceivingOnly, fmt.Sprintf("messages to %s cannot be sent from this node", peer),
			fmt.Sprintf("let UDP port %d to %s pass this node's firewall, and look at the route to it (ip route get %s)", port, peer, peer)}
	case e.recent(e.wire.Refused):
		return judgement{VerdictReceivingOnly, fmt.Sprintf("%s does not receive this node's messages: it refuses UDP port %d by ICMP, so its firewall rejects it or it listens on another address", peer, port),
			"on the peer, run connsync check"}
	case e.unseen():
		return judgement{VerdictReceivingOnly, fmt.Sprintf("messages to %s are sent and not seen to leave this node: a rule behind the output chains drops them (netdev egress of nft, or tc)", peer),
			"on this node, run " + e.called.Command("check")}
	}
	cause := fmt.Sprintf("%s does not receive this node's messages: its firewall drops UDP port %d, or it listens on another address", peer, port)
	if w := e.wire; w.Listening && w.ACKs == 0 && w.Hellos == 0 {
		cause += ", or it was restarted in another Mode than FTFW"
	}
	if e.settings.Multicast() {
		cause = fmt.Sprintf("%s does not receive this node's messages: its firewall drops UDP port %d, it has not joined group %v, or %s", peer, port, e.settings.Group(), notForwarded)
	}
	if !e.wire.Listening { // a rule of this node's may do it, too
		return judgement{VerdictReceivingOnly, cause, "on both nodes, run " + e.called.OnBoth("check")}
	}
	return judgement{VerdictReceivingOnly, cause, "on the peer, run connsync check"}
}

// unseen says that the daemon sends, and that who listens on the link sees nothing of it.
// What the kernel drops behind the output chains is no error to the daemon.
func (e evidence) unseen() bool {
	w, last := e.wire, e.last()
	since := latest(w.Opened, latest(w.OwnHello, w.OwnPlain))
	for _, r := range e.readings {
		if r.Time.After(since) {
			return w.Listening && last.Time.Sub(r.Time) >= patience && last.PacketsSent >= r.PacketsSent+fewMessages
		}
	}
	return false
}

// judgeUnproven is for a peer that is heard, when nothing says whether it
// hears us.
func (e evidence) judgeUnproven() judgement {
	switch {
	case e.mode != "FTFW":
		return judgement{VerdictUnknown, "messages from the peer arrive; in mode " + e.mode + " it does not acknowledge this node's",
			"on the peer, run connsync status"}
	case !e.last().Reliable:
		return judgement{VerdictUnknown, "messages from the peer arrive; conntrackd does not run in mode FTFW as its file says, so the messages are not acknowledged",
			"restart conntrackd"}
	case !e.wire.Listening:
		return judgement{VerdictUnknown, "messages from the peer arrive; whether it receives this node's is unknown",
			"run as root with " + trust.NetRaw.String() + ", or run connsync status on the peer"}
	}
	return judgement{VerdictUnknown, "messages from the peer arrive; it has not acknowledged this node's yet",
		"wait a few seconds; if this continues, use Mode FTFW in conntrackd.conf on both nodes"}
}

// judgeSilence names the nearest cause of hearing nothing, whether the peer hears this node
// or not.
func (e evidence) judgeSilence() judgement {
	first, last, s := e.readings[0], e.last(), e.settings
	peer := s.Peer.Addr()
	j := judgement{Verdict: VerdictSilent}
	switch {
	case e.swapped || e.interfaceGone:
		j.Cause, j.Next = e.gone()
	case last.Link == "DOWN":
		j.Cause = fmt.Sprintf("the sync link %s is down", last.Device)
		j.Next = fmt.Sprintf("set it up (ip link set %s up)", last.Device)
	case last.Link != "" && last.Link != "RUNNING":
		j.Cause = fmt.Sprintf("the sync link %s is %s", last.Device, last.Link)
		j.Next = "look at the cable and at the peer's interface"
	case e.addressGone:
		j.Cause, j.Next = e.gone()
	case e.socketsErr == nil && !e.sockets.Bound:
		j.Cause = "conntrackd does not listen on " + ListenAddress(s)
		if e.sockets.Address != "" {
			j.Cause += " but on " + e.sockets.Address
		}
		j.Next = "save the settings again"
	case e.recent(e.wire.Last) && e.checksumsAreWrong():
		return e.judgeChecksums()
	case e.recent(e.wire.Last):
		j.Cause = fmt.Sprintf("the peer's messages arrive at %s but do not reach conntrackd", e.arrivingAt())
		j.Next = fmt.Sprintf("let UDP port %d from %s pass this node's firewall: %s", s.Port, peer, e.called.Command("firewall", "--install"))
	case last.ErrorsSent > first.ErrorsSent:
		j.Cause = fmt.Sprintf("%s sends nothing, and messages to it cannot be sent", peer)
		j.Next = fmt.Sprintf("see that %s is still on %s, and let UDP port %d pass this node's firewall", s.Current.Addr(), s.Interface, s.Port)
	case e.recent(e.wire.Refused) && last.PacketsRecv > 0:
		j.Cause = fmt.Sprintf("%s was heard, and refuses UDP port %d now: conntrackd ended there, or listens on another port or address", peer, s.Port)
		j.Next = fmt.Sprintf("on the peer, run connsync status; sync needs port %d there", s.Port)
	case e.recent(e.wire.Refused):
		j.Cause = fmt.Sprintf("%s is up and refuses UDP port %d: sync is not enabled there, or on another port or address", peer, s.Port)
		j.Next = fmt.Sprintf("enable sync on the peer, with the same port %d and the addresses swapped (%s prints the command)", s.Port, e.called.Command("peer"))
	case e.peerUnresolved:
		j.Cause = fmt.Sprintf("no host answers for %s on %s: the peer is down, off this link, or has another address", peer, s.Interface)
		j.Next = fmt.Sprintf("see that the peer is up and has %s on its sync interface", peer)
	case e.mode == "ALARM":
		j = judgement{VerdictUnknown, "no message from the peer arrives; in mode ALARM an idle peer sends none", "on the peer, run connsync status"}
	case last.PacketsRecv > 0:
		j.Cause = fmt.Sprintf("%s has stopped sending", peer) + e.orNotForwarded()
		j.Next = fmt.Sprintf("on the peer, see that conntrackd runs (connsync status) and that its firewall lets UDP port %d out", s.Port)
	default:
		j.Cause = fmt.Sprintf("%s has sent nothing since conntrackd started", peer) + e.orNotForwarded()
		j.Next = fmt.Sprintf("enable sync on the peer, with the same port %d and the addresses swapped (%s prints the command)", s.Port, e.called.Command("peer"))
	}
	return j
}

// notForwarded is what only a multicast group meets.
const notForwarded = "a switch does not forward the group (IGMP or MLD snooping without a querier)"

// orNotForwarded goes on with a cause where the settings have a group.
func (e evidence) orNotForwarded() string {
	if !e.settings.Multicast() {
		return ""
	}
	return ", or " + notForwarded
}

// gone says what the settings name and this node does not have, and what to do;
// blank where it has all.
func (e evidence) gone() (cause, next string) {
	s := e.settings
	current, peer := s.Current.Addr(), s.Peer.Addr()
	switch {
	case e.swapped:
		return fmt.Sprintf("the addresses are swapped: Peer IP %s is this node's own address, and Current IP %s is not", peer, current),
			"swap the addresses (" + e.called.Command("check") + " prints the command)"
	case e.interfaceGone:
		return fmt.Sprintf("interface %s no longer exists on this node", s.Interface),
			fmt.Sprintf("restore the interface name, or save the settings with the interface that has %s now", current)
	case e.addressGone && s.Current.Bits() < 0:
		return fmt.Sprintf("%s is not on %s any more, and the file does not record its prefix length", current, s.Interface),
			fmt.Sprintf("restore it with its prefix length (ip address add %s/%d dev %s)", current, map[bool]int{true: 24, false: 64}[current.Is4()], s.Interface)
	case e.addressGone:
		return fmt.Sprintf("%s is not on %s any more", current, s.Interface), fmt.Sprintf("restore it (ip address add %s dev %s)", s.Current, s.Interface)
	}
	return "", ""
}
