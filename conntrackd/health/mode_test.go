package health

import (
	"strings"
	"testing"
	"time"

	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/mailbox"
)

// alarmPeer is a peer of mode ALARM that follows one of FTFW: states alone, and sequence
// numbers that begin anew.
func alarmPeer(change func(*control.Counters)) evidence {
	e := idle(6)
	e.wire = wire{Listening: true, Opened: e.now.Add(-5 * time.Second), Last: e.now, Plain: e.now, OwnPlain: e.now}
	change(&e.readings[len(e.readings)-1])
	return e
}

// What a peer of another mode sends is neither somebody else's nor a loss.
func TestPeerOfAnotherMode(t *testing.T) {
	jump := func(c *control.Counters) { c.Lost = 3_000_000_000 }
	older := func(c *control.Counters) { c.Before = 400 }
	told := func(e evidence, mode mailbox.Mode) evidence {
		e.holding.Told = &mailbox.Told{Report: mailbox.Report{Mode: mode}, Age: 3 * time.Second}
		return e
	}
	removed := func(*control.Counters) {}
	for name, tt := range map[string]struct {
		e           evidence
		verdict     Verdict
		cause, next string
	}{
		"told, and numbers that jump":   {told(alarmPeer(jump), mailbox.ModeAlarm), VerdictMismatch, "the peer runs Mode ALARM, as it reported, and this node FTFW", "use Mode FTFW in conntrackd.conf on both nodes"},
		"told, and numbers from before": {told(alarmPeer(older), mailbox.ModeNotrack), VerdictMismatch, "the peer runs Mode NOTRACK", "use Mode FTFW in conntrackd.conf on both nodes"},
		"told, and holds none": {func() evidence {
			e := told(alarmPeer(removed), mailbox.ModeAlarm)
			e.holding.Of, e.coverage = 100, &coverage.Coverage{NotHeld: 100}
			return e
		}(), VerdictMismatch, "the peer runs Mode ALARM", "use Mode FTFW in conntrackd.conf on both nodes"},
		"not told, numbers that jump":   {alarmPeer(jump), VerdictLosing, "the peer was restarted in another Mode than FTFW, or somebody else", "use Mode FTFW in conntrackd.conf on both nodes; if both do, let only the peer"},
		"not told, numbers from before": {alarmPeer(older), VerdictLosing, "the peer was restarted in another Mode than FTFW, or somebody else", "if both do, let only the peer"},
		"it confirms": {func() evidence {
			e := alarmPeer(jump)
			e.wire.ACKs, e.wire.Confirmed = 3, e.now
			return e
		}(), VerdictLosing, ": somebody else sends in the peer's name, or sent", "let only the peer"},
		"a report of before, sent again, and it confirms": {told(idle(6), mailbox.ModeAlarm), VerdictTwoWay, "", ""},
		"a report of before, and it greets": {func() evidence {
			e := told(alarmPeer(removed), mailbox.ModeAlarm)
			e.wire.Hellos, e.wire.HelloBack = 1, true
			return e
		}(), VerdictTwoWay, "", ""},
		"listened to for a moment": {func() evidence {
			e := told(alarmPeer(removed), mailbox.ModeAlarm)
			e.wire.Opened = e.now.Add(-time.Second)
			return e
		}(), VerdictUnknown, "", ""},
		"nobody listens": {func() evidence {
			e := told(idle(6), mailbox.ModeAlarm)
			e.wire = wire{}
			return e
		}(), VerdictTwoWay, "", ""},
		"told, and silent since":          {told(quiet(idle(6)), mailbox.ModeAlarm), VerdictSilent, "", ""},
		"told the same":                   {told(idle(6), mailbox.ModeFTFW), VerdictTwoWay, "", ""},
		"of a version that does not tell": {told(idle(6), mailbox.ModeUnknown), VerdictTwoWay, "", ""},
	} {
		got := judge(tt.e)
		if got.Verdict != tt.verdict || !strings.Contains(got.Cause, tt.cause) || !strings.Contains(got.Next, tt.next) {
			t.Errorf("%s: %s: %s -> %s", name, got.Verdict, got.Cause, got.Next)
		}
	}
}

// A daemon that has not been restarted since its file was changed has a mode that is not known.
func TestOwnModeIsTheDaemons(t *testing.T) {
	for _, tt := range []struct {
		file     string
		reliable bool
		want     mailbox.Mode
	}{
		{"FTFW", true, mailbox.ModeFTFW}, {"ALARM", false, mailbox.ModeAlarm}, {"NOTRACK", false, mailbox.ModeNotrack},
		{"FTFW", false, mailbox.ModeUnknown}, {"ALARM", true, mailbox.ModeUnknown},
	} {
		e := idle(2)
		e.mode, e.readings[1].Reliable = tt.file, tt.reliable
		if got := e.ownMode(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
