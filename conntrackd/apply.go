package conntrackd

import "time"

// StepID names a step of an apply; stable, it is in the JSON.
type StepID string

const (
	StepLock     StepID = "lock"
	StepBackup   StepID = "backup"
	StepWrite    StepID = "write"
	StepEnable   StepID = "enable"
	StepDisable  StepID = "disable"
	StepRestart  StepID = "restart"
	StepStop     StepID = "stop"
	StepBound    StepID = "bound"         // the daemon's socket has Current IP, port and buffers
	StepHeard    StepID = "heard-peer"    // a message of the peer arrived
	StepHeardBy  StepID = "heard-by-peer" // the peer acknowledged ours
	StepRollback StepID = "rollback"
	StepVerify   StepID = "verify-rollback"
)

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

// Outcome is how an apply ended.
type Outcome struct {
	Changed    bool // the file or the service is not as it was
	RolledBack bool // something failed and the old state is back, verified
	Steps      []Step
	Verdict    Verdict // of the sync, as far as it was seen
	Err        error   // why the apply failed; nil when it is done
}
