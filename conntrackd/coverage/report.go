package coverage

import "time"

// Report is a look as JSON.
type Report struct {
	Counts
	Total          int          `json:"total"`          // how many need to survive
	Unacknowledged int          `json:"unacknowledged"` // in conntrackd's cache, and not confirmed by a peer that confirms nothing
	Peers          int          `json:"from_peer"`      // entries here that the peer's daemon has put into the kernel
	Table          int          `json:"table"`          // all entries of the kernel's table
	Role           Role         `json:"role,omitempty"`
	Time           *time.Time   `json:"time,omitempty"`
	Seconds        float64      `json:"seconds"` // that the look took
	Pending        bool         `json:"pending"` // a second look was not taken
	Kinds          []Kind       `json:"protocols"`
	Rules          []FilteredBy `json:"filtered_by"`
	Error          string       `json:"error,omitempty"` // why there was no look
}

// NewReport is a look, or why there was none; nil where nobody looked.
func NewReport(c *Coverage, err error) *Report {
	switch {
	case err != nil:
		return &Report{Error: err.Error(), Kinds: []Kind{}, Rules: []FilteredBy{}}
	case c == nil:
		return nil
	}
	return &Report{
		Counts: c.Counts, Total: c.Total() + c.Unacknowledged, Unacknowledged: c.Unacknowledged, Peers: c.Peers, Table: c.Table,
		Role: c.Role, Time: &c.Time, Seconds: c.Took.Seconds(), Pending: c.Pending,
		Kinds: append([]Kind{}, c.Kinds...), Rules: append([]FilteredBy{}, c.Rules...),
	}
}
