package health

import (
	"fmt"
	"time"

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

// toldOtherMode says that the peer told so, and does not speak otherwise since: a peer of
// mode ALARM sends states alone, like one of mode FTFW under load, and what this node knows of its
// sequence numbers is of the mode before.
func (e evidence) toldOtherMode() bool {
	told := e.holding.Told
	if told == nil || !modesDiffer(e.ownMode(), told.Mode) || e.hearing() == broken {
		return false
	}
	// Nobody but a peer of mode FTFW confirms; an age is in whole seconds.
	return told.Mode == mailbox.ModeFTFW || !e.wire.Confirmed.After(e.now.Add(time.Second-told.Age))
}

// judgeMode is for a peer whose messages are not those of our mode.
func (e evidence) judgeMode() judgement {
	switch {
	case e.toldOtherMode():
		return judgement{VerdictMismatch,
			fmt.Sprintf("the peer runs Mode %v, as it reported %d s ago, and this node %v", e.holding.Told.Mode, e.holding.Told.Age/time.Second, e.ownMode()),
			"use the same Mode in conntrackd.conf on both nodes (--mode)"}
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
