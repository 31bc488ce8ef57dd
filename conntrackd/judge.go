package conntrackd

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

const (
	// window is how far back a reading counts for the presence: a healthy
	// idle peer sends one message a second.
	window = 4 * time.Second
	// patience is how long a peer must have been silent to be called silent.
	patience = 3 * time.Second
	// deafRun is how many heartbeats without an acknowledgement, in a row,
	// prove that the peer receives nothing; one or two happen in health.
	deafRun = 3
	// deepQueue is a resend queue that no healthy peer lets grow: it
	// acknowledges every 300 messages (ACKWindowSize).
	deepQueue = 600
	ackBytes  = 16 // size of an acknowledgement on the wire
	beatBytes = 8  // size of a heartbeat
)

// evidence is everything a verdict is made of. All of it is of one run of the
// daemon, the one that is running.
type evidence struct {
	now         time.Time
	service     ServiceState
	serviceErr  error
	sockets     Sockets
	socketsErr  error
	readings    []Counters // oldest first
	countersErr error
	drops       uint64 // growth of Sockets.Drops while it was looked at
	wire        wire
	mode        string // of our file: FTFW, NOTRACK, ALARM
	settings    Settings
}

// judgement is a verdict in words.
type judgement struct {
	Verdict Verdict
	Cause   string
	Next    string
}

// direction is what is known about one way of the sync.
type direction int

const (
	notSeen direction = iota // nothing proves it either way
	works
	broken
)

// judge is pure.
func judge(e evidence) judgement {
	if j, done := judgeDaemon(e); done {
		return j
	}
	in, by := e.hearing(), e.heard()
	switch {
	case e.mismatch():
		return judgement{VerdictMismatch, "the peer speaks another sync mode than " + e.mode,
			"use the same Mode in conntrackd.conf on both nodes"}
	case in == works && by == works:
		return e.judgeLoss()
	case in == works && by == broken:
		return e.judgeDeafPeer()
	case in == works:
		return e.judgeUnproven()
	case in == broken && by == works:
		return judgement{VerdictSendingOnly,
			fmt.Sprintf("the peer's messages arrive at %s but do not reach conntrackd", e.settings.Interface),
			fmt.Sprintf("let UDP port %d from %s pass this node's firewall", e.settings.Port, e.settings.Peer.Addr())}
	case in == broken:
		return e.judgeSilence()
	}
	cause := "conntrackd was looked at too briefly to tell whether the peer is heard"
	if e.now.Sub(e.service.Since) < window {
		cause = "conntrackd has just started; there is no word from the peer yet"
	}
	return judgement{VerdictUnknown, cause, "wait a few seconds"}
}

// judgeDaemon settles the cases in which the sync need not be looked at.
func judgeDaemon(e evidence) (judgement, bool) {
	switch {
	case e.serviceErr != nil:
		return judgement{VerdictUnknown, "the service cannot be looked at: " + e.serviceErr.Error(), "run as root"}, true
	case !e.service.Active:
		cause := "conntrackd does not run"
		if e.service.Detail != "" {
			cause += ": " + e.service.Detail
		}
		return judgement{VerdictStopped, cause, "enable sync, or read the daemon's log"}, true
	case errors.Is(e.countersErr, ErrStatsMode):
		return judgement{VerdictStopped, "conntrackd runs and does not sync: its configuration has no Sync section",
			"save the sync settings"}, true
	case e.countersErr != nil:
		return judgement{VerdictUnknown, "conntrackd runs and does not answer: " + e.countersErr.Error(),
			"restart conntrackd if it stays so"}, true
	case len(e.readings) == 0:
		return judgement{VerdictUnknown, "nothing was read yet", ""}, true
	}
	return judgement{}, false
}

// last returns the newest reading.
func (e evidence) last() Counters { return e.readings[len(e.readings)-1] }

// base returns the reading that the newest is compared with for the presence:
// the youngest that is at least a window old, else the oldest. In a run that
// is younger than the window it is the start, when all was zero.
func (e evidence) base() Counters {
	last := e.last()
	if !e.service.Since.IsZero() && last.Time.Sub(e.service.Since) < window {
		return Counters{Time: e.service.Since}
	}
	base := e.readings[0]
	for _, r := range e.readings {
		if last.Time.Sub(r.Time) >= window {
			base = r
		}
	}
	return base
}

// hearing says whether the peer's messages reach our daemon.
func (e evidence) hearing() direction {
	last, base := e.last(), e.base()
	switch {
	case last.PacketsRecv > base.PacketsRecv:
		return works
	case last.Time.Sub(base.Time) >= patience:
		return broken
	}
	return notSeen
}

// heard says whether our messages reach the peer.
func (e evidence) heard() direction {
	if e.mode != "FTFW" {
		return notSeen // no other mode acknowledges anything
	}
	if e.queueStuck() {
		return broken
	}
	if !e.wire.listening {
		return e.heardBySize()
	}
	fresh := !e.wire.last.IsZero() && e.now.Sub(e.wire.last) < window
	switch {
	case e.wire.alive >= deafRun:
		return broken
	case fresh && (e.wire.helloBack || e.wire.acks >= 2):
		// One acknowledgement may be for messages of our last run.
		return works
	}
	return notSeen
}

// queueStuck says whether what we send is never acknowledged.
func (e evidence) queueStuck() bool {
	base, last := e.base(), e.last()
	return base.ResendQueue > deepQueue && last.ResendQueue >= base.ResendQueue
}

// heardBySize reads the flags from the sizes, for want of an ear: an idle
// peer sends one control message a second, and only one that receives us
// sends acknowledgements. Traffic hides both.
func (e evidence) heardBySize() direction {
	acks, beats := 0, 0
	for i := 1; i < len(e.readings); i++ {
		packets := e.readings[i].PacketsRecv - e.readings[i-1].PacketsRecv
		bytes := e.readings[i].BytesRecv - e.readings[i-1].BytesRecv
		switch {
		case packets == 0:
		case bytes == ackBytes*packets:
			acks, beats = acks+1, 0
		case bytes == beatBytes*packets:
			acks, beats = 0, beats+int(packets)
		default:
			acks, beats = 0, 0
		}
	}
	switch {
	case acks >= 2:
		return works
	case beats >= deafRun:
		return broken
	}
	return notSeen
}

// mismatch says whether the peer surely speaks another mode. A NOTRACK peer
// of an FTFW node cannot be told from an FTFW peer that does not receive us.
func (e evidence) mismatch() bool {
	if e.last().BadHeader > e.readings[0].BadHeader {
		return true
	}
	return e.mode != "FTFW" && (e.wire.acks > 0 || e.wire.hellos > 0)
}

// judgeLoss is for a sync that works both ways.
func (e evidence) judgeLoss() judgement {
	first, last := e.readings[0], e.last()
	j := judgement{Verdict: VerdictLosing}
	switch {
	case e.drops > 0:
		j.Cause = fmt.Sprintf("the receive buffer overflowed %d times", e.drops)
		j.Next = "raise Receive Buffer Size, on both nodes alike"
	case last.Lost > first.Lost:
		j.Cause = fmt.Sprintf("%d messages of the peer were lost on the way", last.Lost-first.Lost)
		j.Next = "look for errors on the sync link, and raise the buffers on both nodes"
	case last.Overruns > first.Overruns:
		j.Cause = "connections change faster than conntrackd can pass them on"
		j.Next = "raise Send Buffer Size, and NetlinkBufferSize with NetlinkBufferSizeMaxGrowth in conntrackd.conf"
	case last.NoSpace > first.NoSpace:
		j.Cause = "the state table is full"
		j.Next = "raise HashLimit in conntrackd.conf to twice nf_conntrack_max"
	case last.Malformed > first.Malformed:
		j.Cause = fmt.Sprintf("%d messages could not be read", last.Malformed-first.Malformed)
		j.Next = "look for a second sender on the sync link, and compare the versions of conntrackd"
	case last.ErrorsSent > first.ErrorsSent:
		j.Cause = fmt.Sprintf("%d messages could not be sent", last.ErrorsSent-first.ErrorsSent)
		j.Next = "look at this node's firewall and at the sync link"
	default:
		return judgement{Verdict: VerdictTwoWay, Cause: "messages of the peer arrive and it confirms ours"}
	}
	return j
}

// judgeDeafPeer is for a peer that is heard and does not hear us.
func (e evidence) judgeDeafPeer() judgement {
	peer, first, last := e.settings.Peer.Addr(), e.readings[0], e.last()
	if last.ErrorsSent > first.ErrorsSent {
		return judgement{VerdictReceivingOnly, fmt.Sprintf("messages to %s cannot be sent from here", peer),
			fmt.Sprintf("let UDP port %d to %s pass this node's firewall, and look at the route to it", e.settings.Port, peer)}
	}
	cause := fmt.Sprintf("%s does not receive us: its firewall drops UDP port %d, or it listens on another address or port", peer, e.settings.Port)
	if e.wire.listening && e.wire.acks == 0 && e.wire.hellos == 0 && !e.wire.helloBack {
		cause += ", or it runs another Mode than FTFW"
	}
	return judgement{VerdictReceivingOnly, cause, "on the peer, run connsync check"}
}

// judgeUnproven is for a peer that is heard, when nothing says whether it
// hears us.
func (e evidence) judgeUnproven() judgement {
	switch {
	case e.mode != "FTFW":
		return judgement{VerdictUnknown, "messages of the peer arrive; in mode " + e.mode + " it does not confirm ours",
			"on the peer, run connsync status"}
	case !e.wire.listening:
		return judgement{VerdictUnknown, "messages of the peer arrive; whether it receives ours cannot be seen",
			"run as root, or run connsync status on the peer"}
	}
	return judgement{VerdictUnknown, "messages of the peer arrive; it has not confirmed ours yet",
		"wait a few seconds; a peer under load confirms only every 300 messages"}
}

// judgeSilence names the nearest cause of hearing nothing.
func (e evidence) judgeSilence() judgement {
	first, last, s := e.readings[0], e.last(), e.settings
	j := judgement{Verdict: VerdictSilent}
	switch {
	case last.Link != "" && last.Link != "RUNNING":
		j.Cause = fmt.Sprintf("the sync link %s is %s", last.Device, last.Link)
		j.Next = "look at the cable and at the peer's interface"
	case e.socketsErr == nil && !e.sockets.Bound:
		j.Cause = fmt.Sprintf("conntrackd does not listen on %s", netip.AddrPortFrom(s.Current.Addr(), s.Port))
		if e.sockets.Address != "" {
			j.Cause += " but on " + e.sockets.Address
		}
		j.Next = "save the settings again"
	case !e.wire.last.IsZero() && e.now.Sub(e.wire.last) < window:
		j.Cause = fmt.Sprintf("the peer's messages arrive at %s but do not reach conntrackd", s.Interface)
		j.Next = fmt.Sprintf("let UDP port %d from %s pass this node's firewall", s.Port, s.Peer.Addr())
	case last.ErrorsSent > first.ErrorsSent:
		j.Cause = fmt.Sprintf("no word from %s, and messages to it cannot be sent", s.Peer.Addr())
		j.Next = fmt.Sprintf("see that %s is still on %s, and let UDP port %d pass this node's firewall", s.Current.Addr(), s.Interface, s.Port)
	case last.PacketsRecv > 0:
		j.Cause = fmt.Sprintf("no word from %s any more", s.Peer.Addr())
		j.Next = "see that the peer is up and its conntrackd runs"
	default:
		j.Cause = fmt.Sprintf("no word from %s since conntrackd started", s.Peer.Addr())
		j.Next = fmt.Sprintf("enable sync on the peer, with the same port %d and the addresses swapped", s.Port)
	}
	return j
}
