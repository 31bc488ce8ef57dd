package refresh

import "time"

// Report is the refresh of this node as JSON. It is stable.
type Report struct {
	Needed    bool       `json:"needed"`    // the peer's kernel has the states, so that they expire there
	Installed bool       `json:"installed"` // there is a unit or a script that runs it, or a save has started it
	AtBoot    bool       `json:"at_boot"`
	Due       bool       `json:"-"`       // it is to run now: it starts at boot, or a save has started it
	Running   *bool      `json:"running"` // null where it could not be read: Error says why
	PID       int        `json:"pid,omitempty"`
	LastRun   *time.Time `json:"last_run"` // when it last looked at the connections; null for not yet, or not running
	Seconds   float64    `json:"interval_seconds,omitempty"`
	Entries   int        `json:"entries"`   // in the kernel's table then
	Refreshed int        `json:"refreshed"` // by that look
	Idle      string     `json:"idle,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// Stopped reports whether a refresh that is needed, and is to run on this node, does not run.
func (r Report) Stopped() bool { return r.Needed && r.Due && r.Running != nil && !*r.Running }

// NewReport says what runs on this node.
func NewReport(runtimeDir string) Report {
	s, err := Running(runtimeDir)
	if err != nil {
		return Report{Error: err.Error()}
	}
	running := s != nil
	r := Report{Running: &running}
	if s == nil {
		return r
	}
	r.PID, r.Seconds, r.Entries, r.Refreshed, r.Idle, r.Error = s.PID, s.Interval.Seconds(), s.Entries, s.Refreshed, s.Idle, s.Error
	if !s.Looked.IsZero() {
		r.LastRun = &s.Looked
	}
	return r
}
