package step

import (
	"time"
)

// ID names a step; stable, it is in the JSON.
type ID string

// Lock is the step that takes a lock and looks at what is there, before anything
// changes.
const Lock ID = "lock"

// Status is how far a step is, or how it ended. Stable: it is in the JSON.
type Status string

const (
	Running Status = "running" // it has begun and not ended
	Done    Status = "done"    // as it should
	Failed  Status = "failed"  // Detail says why
	Skipped Status = "skipped" // nothing to do, or not asked for
	Unknown Status = "unknown" // it could not be determined
)

// Step is one step as it is shown: once as it begins, with [Running], and once as
// it ends.
type Step struct {
	ID     ID
	Title  string // for people
	Status Status
	Detail string        // one sentence; may hold the daemon's own words
	Took   time.Duration // zero while it runs
}
