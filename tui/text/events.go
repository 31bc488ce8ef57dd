package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/events"
	"connsync/conntrackd/health"
)

// EventWhat is an event in one line, without its time.
func EventWhat(e events.Event) string {
	switch e.Kind {
	case events.KindVerdict:
		said := ShortStatus(health.Health{Verdict: e.Verdict, Off: e.Off})
		if e.Before != "" {
			said += " (before: " + ShortStatus(health.Health{Verdict: e.Before, Off: e.OffBefore}) + ")"
		}
		return Join(": ", said, Clean(e.Cause))
	case events.KindSave, events.KindRollback:
		outcome := ""
		if e.Save.Outcome != apply.EntrySaved {
			outcome = EntryOutcome(e.Save)
		}
		said := fmt.Sprintf("%s by %s (save %d)", e.Kind, EntryBy(e.Save), e.Save.Number)
		return Join(": ", said, Join(", ", outcome, EntryWhat(e.Save)))
	case events.KindFailover:
		return Join(": ", "failover to "+Clean(string(e.Role)), Clean(e.Cause))
	case events.KindDaemon:
		return "conntrackd " + string(e.Turn)
	}
	return Clean(string(e.Kind))
}

// EventLine is an event with its time in this host's zone.
func EventLine(e events.Event) string {
	return e.Time.Local().Format(time.DateTime) + "  " + EventWhat(e)
}

// NearEvent is [EventLine] without the date where that is today's.
func NearEvent(e events.Event, now time.Time) string {
	at := e.Time.Local().Format(time.DateTime)
	if today := now.Local().Format(time.DateOnly); at[:len(today)] == today {
		at = at[len(today)+1:]
	}
	return at + "  " + EventWhat(e)
}

// NoEvents is said where nothing that can be read tells of an event.
func NoEvents(l events.Log) string {
	if len(l.Unread) > 0 {
		return "No events can be read."
	}
	return "No events are recorded yet."
}

// EventNotes say what the records do not tell.
func EventNotes(l events.Log) []string {
	var notes []string
	for _, u := range l.Unread {
		notes = append(notes, Clean(fmt.Sprintf("cannot read %s: %s", u.Source, u.Error)))
	}
	if l.Denied {
		notes = append(notes, "Only root may read that.")
	}
	known := "No change of verdict is recorded"
	if slices.ContainsFunc(l.Unread, func(u events.Unread) bool { return u.Source == events.SourceVerdicts }) {
		known = "Changes of verdict are not known"
	}
	if !l.Since.IsZero() {
		known = "Changes of verdict are known since " + l.Since.Local().Format(time.DateTime)
	}
	return append(notes, known+"; the refresh, the form, status --watch and the metrics timer record them.")
}

// EventsText is all of them as plain text.
func EventsText(l events.Log) string {
	var b strings.Builder
	for _, e := range l.Events {
		fmt.Fprintln(&b, EventLine(e))
	}
	if len(l.Events) == 0 {
		fmt.Fprintln(&b, NoEvents(l))
	}
	for _, note := range EventNotes(l) {
		fmt.Fprintln(&b, note)
	}
	return b.String()
}

// EventReport is an event as JSON. It is stable.
type EventReport struct {
	Time      time.Time      `json:"time"`
	Kind      events.Kind    `json:"kind"`
	Text      string         `json:"text"`
	Verdict   health.Verdict `json:"verdict,omitempty"`
	Before    health.Verdict `json:"verdict_before,omitempty"`
	Off       bool           `json:"off,omitempty"`
	OffBefore bool           `json:"off_before,omitempty"`
	Cause     string         `json:"cause,omitempty"`
	Save      int            `json:"save,omitempty"` // its number
	Outcome   string         `json:"outcome,omitempty"`
	User      string         `json:"user,omitempty"`
	Role      string         `json:"role,omitempty"`
	Daemon    string         `json:"daemon,omitempty"` // started, stopped, failed
}

// EventsReport is what connsync events --json prints. It is stable.
type EventsReport struct {
	Events []EventReport   `json:"events"` // the newest first
	Unread []events.Unread `json:"unread"`
	Since  *time.Time      `json:"verdicts_since"` // the first look on record; null for none
}

// NewEventsReport is a log as JSON.
func NewEventsReport(l events.Log) EventsReport {
	r := EventsReport{Events: []EventReport{}, Unread: append([]events.Unread{}, l.Unread...)}
	if !l.Since.IsZero() {
		r.Since = &l.Since
	}
	for _, e := range l.Events {
		r.Events = append(r.Events, EventReport{
			Time: e.Time, Kind: e.Kind, Text: EventWhat(e), Verdict: e.Verdict, Before: e.Before, Off: e.Off, OffBefore: e.OffBefore, Cause: Clean(e.Cause),
			Save: e.Save.Number, Outcome: string(e.Save.Outcome), User: Clean(e.Save.By.User), Role: Clean(string(e.Role)), Daemon: string(e.Turn),
		})
	}
	return r
}
