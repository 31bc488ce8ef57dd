package events

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/service"
)

// Kind is what an event is about. Stable: it is in the JSON.
type Kind string

// The kinds of events.
const (
	KindVerdict  Kind = "verdict"  // the verdict on the sync changed
	KindSave     Kind = "save"     // somebody saved
	KindRollback Kind = "rollback" // somebody rolled a save back
	KindFailover Kind = "failover" // connsync failover was called
	KindDaemon   Kind = "daemon"   // conntrackd started or ended
)

// Event is one thing that happened. Which fields are set depends on its kind.
type Event struct {
	Time time.Time
	Kind Kind

	Verdict   health.Verdict // since then
	Before    health.Verdict // until then; blank where it is not known
	Off       bool           // Verdict is that of a sync that is off on purpose
	OffBefore bool           // Before is
	Cause     string         // of the verdict, or how a failover ended; raw

	Save apply.Entry // of a save and a rollback
	Role failover.Role
	Turn service.TurnKind
}

// Unread is a record that could not be read.
type Unread struct {
	Source string `json:"source"`
	Error  string `json:"error"`
}

// Log is what the records tell.
type Log struct {
	Events []Event // the newest first
	Unread []Unread
	// Denied says that a record could not be read because only root may.
	Denied bool
	// Since is the oldest look at the verdict that is on record; zero where there is none.
	// Changes of verdict before it are not known, nor those at which nobody looked.
	Since time.Time
}

// Sources are where the records are.
type Sources struct {
	StateDir string // of the history, failover.log and the verdicts
	Service  service.Service
	LogFile  string // of the daemon; blank where it has none
}

// Read reads every record.
func (s Sources) Read(ctx context.Context) Log {
	var l Log
	l.verdicts(s.StateDir)
	l.saves(s.StateDir)
	l.failovers(s.StateDir)
	l.turns(ctx, s)
	slices.Reverse(l.Events) // those of one moment: the later one first
	slices.SortStableFunc(l.Events, func(a, b Event) int { return b.Time.Compare(a.Time) })
	return l
}

func (l *Log) unread(source string, err error) {
	if err != nil {
		l.Unread = append(l.Unread, Unread{source, err.Error()})
		l.Denied = l.Denied || errors.Is(err, fs.ErrPermission)
	}
}

// saves are those of the history.
func (l *Log) saves(stateDir string) {
	history := apply.OpenHistory(stateDir)
	entries, err := history.Entries()
	l.unread("history", err)
	for _, e := range history.WithChanges(entries) {
		kind := KindSave
		switch {
		case e.Time.IsZero(): // a damaged record
			continue
		case e.Undoes != 0:
			kind = KindRollback
		}
		l.Events = append(l.Events, Event{Time: e.Time, Kind: kind, Save: e})
	}
}

// sameTurn is how far apart two records of one start may be: one has whole seconds, and
// one counts from when the process was made.
const sameTurn = 3 * time.Second

// turns are the starts and ends of the daemon, from its service manager, its log and the
// looks at it; each is there once, with the time of the one that knows it best.
func (l *Log) turns(ctx context.Context, s Sources) {
	var turns []service.Turn
	if systemd, ok := s.Service.(interface {
		Turns(context.Context) ([]service.Turn, error)
	}); ok {
		found, err := systemd.Turns(ctx)
		l.unread("journal", err)
		turns = withTurns(turns, found)
	}
	if s.LogFile != "" {
		found, err := service.LogTurns(s.LogFile)
		l.unread(s.LogFile, err)
		turns = withTurns(turns, found)
	}
	if s.Service != nil {
		state, err := s.Service.State(ctx)
		l.unread("service", err)
		if err == nil && !state.Since.IsZero() {
			turns = withTurns(turns, []service.Turn{{Time: state.Since, What: service.TurnStarted}})
		}
	}
	var looks []service.Turn
	for _, e := range l.Events {
		if e.Kind == KindDaemon {
			looks = append(looks, service.Turn{Time: e.Time, What: e.Turn})
		}
	}
	l.Events = slices.DeleteFunc(l.Events, func(e Event) bool { return e.Kind == KindDaemon })
	for _, t := range withTurns(turns, looks) {
		l.Events = append(l.Events, Event{Time: t.Time.Truncate(time.Millisecond), Kind: KindDaemon, Turn: t.What})
	}
}

// withTurns adds what one more record tells and those before it do not, in the order of
// time. A record may tell of one turn twice, with no other between.
func withTurns(known, found []service.Turn) []service.Turn {
	inOrder := func(a, b service.Turn) int { return a.Time.Compare(b.Time) }
	found = slices.Clone(found)
	slices.SortStableFunc(found, inOrder)
	all := slices.Clone(known)
	var last service.Turn
	for _, t := range found {
		again := t.What == last.What && t.Time.Sub(last.Time) <= sameTurn
		if again = again || slices.ContainsFunc(known, func(k service.Turn) bool { return k.What == t.What && t.Time.Sub(k.Time).Abs() <= sameTurn }); !again {
			all = append(all, t)
		}
		last = t
	}
	slices.SortStableFunc(all, inOrder)
	return all
}
