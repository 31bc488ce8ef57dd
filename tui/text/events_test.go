package text

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/events"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

func TestEventWhat(t *testing.T) {
	save := apply.Entry{Number: 12, By: apply.Actor{User: "root", Terminal: "/dev/ttyS0"}, Outcome: apply.EntrySaved, Before: "a", After: "b"}
	failed := save
	failed.Outcome = apply.EntryRolledBack
	values := save
	values.Changes = []conntrackd.Difference{{Setting: conntrackd.FieldPort, From: "3780", To: "3790"}, {Setting: "later", To: "\x1b[2J1"}}
	for want, e := range map[string]events.Event{
		"save by root on ttyS0 (save 12): Port 3780 -> 3790, later none -> 1": {Kind: events.KindSave, Save: values},
		"in sync both ways (before: no word from the peer)":                   {Kind: events.KindVerdict, Verdict: health.VerdictTwoWay, Before: health.VerdictSilent, Cause: ""},
		"no word from the peer: the cable":                                    {Kind: events.KindVerdict, Verdict: health.VerdictSilent, Cause: "the\x1b[2J cable"},
		"sync disabled (before: in sync both ways)":                           {Kind: events.KindVerdict, Verdict: health.VerdictStopped, Off: true, Before: health.VerdictTwoWay},
		"in sync both ways (before: sync disabled)":                           {Kind: events.KindVerdict, Verdict: health.VerdictTwoWay, Before: health.VerdictStopped, OffBefore: true},
		"in sync both ways (before: sync stopped)":                            {Kind: events.KindVerdict, Verdict: health.VerdictTwoWay, Before: health.VerdictStopped},
		"save by root on ttyS0 (save 12): changed the file":                   {Kind: events.KindSave, Save: save},
		"save by root on ttyS0 (save 12): rolled back, changed the file":      {Kind: events.KindSave, Save: failed},
		"failover to primary: Primary: 20 connections":                        {Kind: events.KindFailover, Role: failover.RolePrimary, Cause: "Primary: 20 connections"},
		"conntrackd started":                                                  {Kind: events.KindDaemon, Turn: service.TurnStarted},
	} {
		if got := EventWhat(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	at := time.Date(2026, 11, 29, 14, 8, 31, 0, time.Local)
	e := events.Event{Time: at, Kind: events.KindDaemon, Turn: service.TurnStarted}
	for want, got := range map[string]string{
		"2026-11-29 14:08:31  conntrackd started": EventLine(e) + "",
		"14:08:31  conntrackd started":            NearEvent(e, at.Add(time.Hour)),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := NearEvent(e, at.Add(24*time.Hour)); got != EventLine(e) {
		t.Error(got)
	}
}

// What is not known is said.
func TestEventNotes(t *testing.T) {
	want := []string{"cannot read journal: not allowed", "No change of verdict is recorded; the refresh, the form, status --watch and the metrics timer record them."}
	hidden := events.Log{Unread: []events.Unread{{Source: events.SourceVerdicts, Error: "not allowed"}}}
	if got := EventsText(hidden); !strings.HasPrefix(got, "No events can be read.\n") || !strings.Contains(got, "\nChanges of verdict are not known;") {
		t.Errorf("of records that cannot be read: %q", got)
	}
	if diff := cmp.Diff(want, EventNotes(events.Log{Unread: []events.Unread{{Source: "journal", Error: "not allowed"}}})); diff != "" {
		t.Error(diff)
	}
}
