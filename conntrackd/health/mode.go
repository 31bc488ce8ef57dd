package health

import (
	"fmt"

	"connsync/conntrackd/mailbox"
)

// otherMode says that the peer uses another sync mode.
func (e evidence) otherMode() bool {
	if e.toldOtherMode() {
		return true
	}
	if e.last().BadHeader > e.readings[0].BadHeader && !e.provenByOthers() {
		return true // what our daemon cannot read are control messages of another mode
	}
	if !e.reliable() {
		return e.mode != "FTFW" && (e.wire.ACKs > 0 || e.wire.Hellos > 0)
	}
	return e.unanswered()
}

// ownMode is the mode of this node's daemon; unknown where it runs with another file.
func (e evidence) ownMode() mailbox.Mode {
	if (e.mode == "FTFW") != e.last().Reliable {
		return mailbox.ModeUnknown
	}
	return mailbox.NewMode(e.mode)
}

func modesDiffer(a, b mailbox.Mode) bool {
	return a != b && a != mailbox.ModeUnknown && b != mailbox.ModeUnknown
}

// toldOtherMode says that a peer which has told another mode than FTFW confirms nothing: one of
// mode ALARM sends states alone, like one of mode FTFW under load, and what this node knows
// of its sequence numbers is of the mode before. A report of before a change may be sent
// again by a resynchronisation, so that what is heard comes first, and no age counts.
// A peer of mode FTFW shows it to the others by what it sends.
func (e evidence) toldOtherMode() bool {
	told, w := e.holding.Told, e.wire
	if told == nil || e.ownMode() != mailbox.ModeFTFW || !modesDiffer(e.ownMode(), told.Mode) || e.hearing() == broken {
		return false
	}
	return w.Listening && e.now.Sub(w.Opened) >= patience && w.ACKs == 0 && w.Hellos == 0 && !w.HelloBack
}

// judgeMode is for a peer whose messages are not those of our mode.
func (e evidence) judgeMode() judgement {
	switch {
	case e.toldOtherMode():
		return judgement{VerdictMismatch,
			fmt.Sprintf("the peer runs Mode %v, as it reported, and this node %v", e.holding.Told.Mode, e.ownMode()),
			"use Mode FTFW in conntrackd.conf on both nodes (--mode ftfw)"}
	case e.reliable() && e.last().BadHeader == e.readings[0].BadHeader:
		return judgement{VerdictMismatch,
			fmt.Sprintf("%s sends and never answers conntrackd's greeting: it runs another Mode than FTFW, or lost this node before conntrackd was started here", e.settings.Peer.Addr()),
			fmt.Sprintf("use Mode FTFW in conntrackd.conf on both nodes; if both do, let UDP port %d in on the peer", e.settings.Port)}
	}
	return judgement{VerdictMismatch, "the peer uses another sync mode than " + e.mode,
		"use the same Mode in conntrackd.conf on both nodes"}
}

// mayBeOtherMode says that nothing shows the peer's mode to be ours, FTFW, whose daemon
// confirms, and greets when it starts; one of another mode begins with new sequence numbers
// and no word.
func (e evidence) mayBeOtherMode() bool {
	w := e.wire
	return e.reliable() && w.ACKs == 0 && w.Hellos == 0 && !w.HelloBack
}
