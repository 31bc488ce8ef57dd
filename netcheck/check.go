// Package netcheck looks at this host's network and at the way to the sync
// peer: interfaces, subnet rules and probes, as a plan of checks and a runner.
// It knows nothing of conntrackd's files and nothing of the screen.
package netcheck

import (
	"context"
	"time"
)

// Status is what a check found.
type Status int

const (
	Pending Status = iota // not finished yet
	Passed
	Failed
	Skipped // something it needs failed, so it was not asked
	Unknown // we could not look; Finding.Detail says why
)

// Severity is what a failed check means for the save.
type Severity int

const (
	// Warning is shown and does not stop a save.
	Warning Severity = iota
	// Blocker stops a save.
	Blocker
)

// ID names a check. IDs are stable: they are in the JSON, the documentation
// and the tests.
type ID string

// Finding is the outcome of one check.
type Finding struct {
	Status Status
	Detail string // one sentence: what was seen
	Remedy string // a command or a named field to change; blank when passed
	Err    error  // the cause, where there is one
}

// Check is one question to the host or to the peer.
type Check struct {
	ID       ID
	Title    string
	Severity Severity
	// Needs are the checks that must have passed before this one can be
	// asked; if one failed or was skipped this one is skipped, if one is
	// unknown this one still runs. IDs that are not in the plan are ignored.
	Needs []ID
	// Run asks. It returns promptly when ctx ends.
	Run func(ctx context.Context) Finding
}

// Result is a finished check.
type Result struct {
	ID       ID
	Title    string
	Severity Severity
	Finding
	Took time.Duration
}

// Report is the results of a plan, in the plan's order.
type Report struct {
	Results []Result
}

// Verdict is what a report means for the save.
type Verdict string

const (
	VerdictPass    Verdict = "pass"    // everything was looked at and is good
	VerdictWarn    Verdict = "warn"    // a warning failed; a save is possible
	VerdictBlocked Verdict = "blocked" // a blocker failed
	VerdictUnknown Verdict = "unknown" // nothing failed that blocks, but a blocker could not be looked at
)
