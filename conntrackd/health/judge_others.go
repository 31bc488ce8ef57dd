package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/plural"
)

// peerOnly keeps everybody but the peer from the port, which knows no password.
func (e evidence) peerOnly() string {
	return "let only the peer reach the port (" + e.called.Command("firewall", "--install") + ")"
}

// credibleRate is more messages in a second than any daemon sends; a sequence number
// that jumps by more is no loss.
const credibleRate = 1_000_000

// fewMessages is from where on a sender of messages is more than one stray datagram.
const fewMessages = 2

// disbelieveForeigners drops a refusal that came from another host than the one
// that has Peer IP and sends its messages.
func (e *evidence) disbelieveForeigners() {
	w := &e.wire
	if w.Refuser == "" || e.peerHardware == "" || w.Refuser == e.peerHardware || w.sentBy(w.Refuser) {
		return
	}
	w.Forged = sighting{From: e.settings.Peer.Addr(), Port: e.settings.Port, Device: e.settings.Interface, Hardware: w.Refuser, Last: w.Refused}
	w.Refused = time.Time{}
}

// sentBy says that messages in the peer's name come from a hardware address.
func (w wire) sentBy(hardware string) bool {
	return slices.ContainsFunc(w.Senders, func(s sender) bool { return s.Hardware == hardware })
}

// toThisNode returns those of others that reach this node: on one of its addresses, or
// by a group on the sync link. The newest look counts.
func (e evidence) toThisNode() []sighting {
	var reaching []sighting
	for _, s := range e.wire.Others {
		group := s.To.IsMulticast() && s.Device == e.settings.Interface
		if e.recent(s.Last) && (group || s.To == e.current() || slices.Contains(e.ownAddresses, s.To)) {
			reaching = append(reaching, s)
		}
	}
	return reaching
}

// othersAlone says that what the daemon receives is not the peer's: others are heard
// to send to it, and the peer is not heard.
func (e evidence) othersAlone() bool {
	w := e.wire
	return w.Listening && e.now.Sub(w.Opened) >= patience && !e.recent(w.Last) && len(e.toThisNode()) > 0
}

// provenByOthers says that the peer speaks our mode, and that somebody else is there
// who may have sent what cannot be read.
func (e evidence) provenByOthers() bool {
	return e.reliable() && (e.wire.ACKs > 0 || e.wire.HelloBack) && e.intruder() != ""
}

// judgeHeardElsewhere is for a peer whose messages do not match the settings: it
// sends to another address, port or group, or from another address.
func (e evidence) judgeHeardElsewhere() (judgement, bool) {
	w := e.wire
	if !w.Listening || e.recent(w.Last) {
		return judgement{}, false
	}
	others := e.toThisNode()
	if i := slices.IndexFunc(w.Misdirected, func(s sighting) bool { return e.recent(s.Last) }); i >= 0 && (len(others) > 0 || e.hearing() != works || e.settings.Multicast()) { // the socket for a group takes everything
		return e.judgeOtherDestination(w.Misdirected[i]), true
	}
	if len(others) > 0 && others[0].Messages >= fewMessages {
		return e.judgeOtherSource(others[0]), true
	}
	return judgement{}, false
}

// judgeOtherDestination is for messages of Peer IP.
func (e evidence) judgeOtherDestination(s sighting) judgement {
	peer, set := e.settings.Peer.Addr(), e.settings
	j := judgement{Verdict: VerdictMismatch}
	switch {
	case set.Multicast():
		what := ": its file has a UDP link"
		j.Next = fmt.Sprintf("on the peer: connsync apply --transport multicast --multicast-group %v", e.listensAt())
		if s.To.IsMulticast() {
			what, j.Next = "", "set the same Multicast Group and Port on both nodes"
		}
		j.Cause = fmt.Sprintf("%s sends %s to %v, UDP port %d, on %s%s, and this node listens on %v, UDP port %d", peer, s.what(), s.To, s.Port, s.Device, what, e.listensAt(), set.Port)
	case s.To.IsMulticast():
		j.Cause = fmt.Sprintf("%s sends %s to the multicast group %v, UDP port %d, on %s: its file has a Multicast link, and this node listens on %v, UDP port %d",
			peer, s.what(), s.To, s.Port, s.Device, e.current(), set.Port)
		j.Next = fmt.Sprintf("on the peer: connsync apply --transport udp --peer-ip %s", conntrackd.FormatPrefix(set.Current))
	case s.To != e.current():
		j.Cause = fmt.Sprintf("%s sends to %v, UDP port %d, on %s, and this node listens on %v, UDP port %d", peer, s.To, s.Port, s.Device, e.current(), set.Port)
		j.Next = fmt.Sprintf("on the peer, set Peer IP to %s", conntrackd.FormatPrefix(set.Current))
		if s.Port != set.Port {
			j.Next += ", and the same Port on both nodes"
		}
	default:
		j.Cause = fmt.Sprintf("%s sends to UDP port %d, and this node listens on %d", peer, s.Port, set.Port)
		j.Next = "set the same Port on both nodes"
	}
	return j
}

// judgeOtherSource is for messages to this node that are not from Peer IP.
func (e evidence) judgeOtherSource(s sighting) judgement {
	peer := e.settings.Peer.Addr()
	j := judgement{Verdict: VerdictMismatch}
	where := fmt.Sprintf("on %s", s.Device)
	if s.Device != e.settings.Interface {
		where += fmt.Sprintf(", not on %s,", e.settings.Interface)
	}
	if s.To != e.listensAt() {
		where = fmt.Sprintf("%s to %v, UDP port %d,", where, s.To, s.Port)
	}
	switch {
	case s.Hardware != "" && s.Hardware == e.peerHardware:
		j.Cause = fmt.Sprintf("the peer's messages come from %v %s and not from Peer IP %s; both addresses are of the host with hardware address %s", s.From, where, peer, s.Hardware)
		j.Next = fmt.Sprintf("on the peer, see that UDP port %d leaves from %s: no other address of the link comes before it, no rule translates the source (SNAT); or set Peer IP on this node to %v",
			e.settings.Port, peer, s.From)
	case e.peerHardware == "":
		j.Cause = fmt.Sprintf("%s come from %s %s, and no host answers for Peer IP %s", s.what(), s.who(), strings.TrimSuffix(where, ","), peer)
		j.Next = e.takeForPeer(s)
	default:
		j.Cause = fmt.Sprintf("%s come from %s %s, and none from Peer IP %s (hardware address %s)", s.what(), s.who(), strings.TrimSuffix(where, ","), peer, e.peerHardware)
		j.Next = e.takeForPeer(s) + "; if not, " + e.peerOnly()
	}
	return j
}

// takeForPeer is what to do where it is the peer that was seen: both addresses have to be
// of one subnet.
func (e evidence) takeForPeer(s sighting) string {
	if e.settings.Current.IsValid() && !e.settings.Current.Contains(s.From.WithZone("")) {
		return fmt.Sprintf("if that is the peer, the nodes are set up on two different links: set Interface Name and Current IP on one of them to the link of the other; %v is on that of the peer", s.From)
	}
	return fmt.Sprintf("if that is the peer, set Peer IP on this node to %v", s.From)
}

// intruder says in words who else sends to the sync port of this node, or in the
// peer's name; blank where nobody is heard.
func (e evidence) intruder() string {
	peer := e.settings.Peer.Addr()
	if others := e.toThisNode(); len(others) > 0 {
		s := others[0]
		words := fmt.Sprintf("%s, which is not the peer, sends %s to UDP port %d on %s", s.who(), s.what(), s.Port, s.Device)
		if len(others) > 1 {
			words += fmt.Sprintf(", and so do %d more", len(others)-1)
		}
		return words
	}
	var names []string
	for _, s := range e.wire.Senders {
		if e.recent(s.Last) {
			names = append(names, s.Hardware)
		}
	}
	if len(names) > 1 {
		return fmt.Sprintf("messages in the name of %s come from %d hardware addresses, %s", peer, len(names), strings.Join(names, " and "))
	}
	if s := e.wire.Forged; e.recent(s.Last) {
		return fmt.Sprintf("ICMP in the name of %s refuses what this node did not send, or comes from another host: %s", peer, s.who())
	}
	return ""
}

// withOthers adds to a judgement who else is heard, and by which interface the peer.
func (e evidence) withOthers(j judgement) judgement {
	if len(e.readings) == 0 || j.Verdict == VerdictMismatch || j.Verdict == VerdictStopped {
		return j
	}
	add := func(cause, next string) {
		j.Cause += "; " + cause
		if j.Next != "" {
			j.Next += "; "
		}
		j.Next += next
	}
	switch words := e.intruder(); {
	case words == "" || strings.Contains(j.Cause, words):
	case e.keptOut && len(e.toThisNode()) > 0:
		j.Cause += "; " + words + ", and this node's firewall keeps it out"
	default:
		add(words, e.peerOnly())
	}
	if at := e.arrivingAt(); at != e.settings.Interface && (j.Verdict == VerdictTwoWay || j.Verdict == VerdictPartial || j.Verdict == VerdictLosing || j.Verdict == VerdictUnknown) {
		add("the peer's messages arrive at "+at, fmt.Sprintf("see by which interface the peer sends to %v, on the peer: ip route get %v; two interfaces of one subnet answer for each other's addresses", e.listensAt(), e.listensAt()))
	}
	return j
}

// arrivingAt is where the peer's messages arrive, with the link where that is not it.
func (e evidence) arrivingAt() string {
	link := e.settings.Interface
	if d := e.wire.Device; d != "" && d != link && e.recent(e.wire.Last) {
		return fmt.Sprintf("%s, not at %s,", d, link)
	}
	return link
}

// judgeIntrusion is for counters that tell of somebody else's messages.
func (e evidence) judgeIntrusion() (judgement, bool) {
	first, last, words := e.readings[0], e.last(), e.intruder()
	lost, before, received := last.Lost-min(first.Lost, last.Lost), last.Before-min(first.Before, last.Before), last.PacketsRecv-min(first.PacketsRecv, last.PacketsRecv)
	malformed := last.Malformed - min(first.Malformed, last.Malformed)
	took := max(last.Time.Sub(first.Time).Seconds(), 1)
	only := e.peerOnly()
	if words == "" {
		words = "somebody else sends in the peer's name, or sent"
		if e.mayBeOtherMode() {
			words = "the peer was restarted in another Mode than FTFW, or " + words
			only = "use Mode FTFW in conntrackd.conf on both nodes; if both do, " + only
		}
	}
	j := judgement{Verdict: VerdictLosing, Next: only}
	switch {
	case float64(lost) > credibleRate*took:
		j.Cause = fmt.Sprintf("the sequence number of what arrives jumped by %d, which conntrackd counts as lost messages: %s", lost, words)
	case before >= fewMessages && before >= received, before > fewMessages && 2*before >= received:
		j.Cause = fmt.Sprintf("conntrackd drops the peer's messages, %d of them, as older than one that it has seen: %s", before, words)
		j.Next = "restart conntrackd on this node, which forgets that number, and " + only
	case e.intruder() != "" && malformed > 0:
		j.Cause = fmt.Sprintf("conntrackd could not read %s: %s", plural.Of(malformed, "message", "messages"), words)
	case e.intruder() != "" && lost > 0:
		j.Cause = fmt.Sprintf("conntrackd counts %d lost messages: %s", lost, words)
	default:
		return judgement{}, false
	}
	return j, true
}

// staleCounter says that the daemon's counter of lost messages holds more than was
// ever sent, so that nobody looks for a loss of that size.
func (e evidence) staleCounter() string {
	lost := e.last().Lost
	if age := e.now.Sub(e.service.Since).Seconds(); float64(lost) <= credibleRate*max(age, 60) {
		return ""
	}
	return fmt.Sprintf("; the counter of lost messages (%d) holds a jump of the sequence number, no loss of that size", lost)
}
