package conntrackd

import (
	"time"
)

// StepID names a step of an apply; stable, it is in the JSON.
type StepID string

const StepLock StepID = "lock"

// StepStatus is how a step ended.
type StepStatus string

const (
	StepRunning StepStatus = "running"
	StepDone    StepStatus = "done"
	StepFailed  StepStatus = "failed"
	StepSkipped StepStatus = "skipped" // nothing to do, or not asked for
	StepUnknown StepStatus = "unknown" // we could not look
)

// Step is one line of an apply as it is shown.
type Step struct {
	ID     StepID
	Title  string
	Status StepStatus
	Detail string // one sentence; may hold the daemon's own words
	Took   time.Duration
}
