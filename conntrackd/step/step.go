package step

import (
	"time"
)

// ID names a step of an apply; stable, it is in the JSON.
type ID string

const Lock ID = "lock"

// Status is how a step ended.
type Status string

const (
	Running Status = "running"
	Done    Status = "done"
	Failed  Status = "failed"
	Skipped Status = "skipped" // nothing to do, or not asked for
	Unknown Status = "unknown" // we could not look
)

// Step is one line of an apply as it is shown.
type Step struct {
	ID     ID
	Title  string
	Status Status
	Detail string // one sentence; may hold the daemon's own words
	Took   time.Duration
}
