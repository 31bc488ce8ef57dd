package coverage

import "time"

// Report is a look as JSON.
type Report struct {
	Counts
	Total          int          `json:"total"`          // how many need to survive
	Unacknowledged int          `json:"unacknowledged"` // in conntrackd's cache, and not acknowledged by a peer that acknowledges nothing
	NotHeld        int          `json:"not_on_peer"`    // in conntrackd's cache, and not on the peer, as it says
	Uncommitted    int          `json:"uncommitted"`    // in the peer's external cache, and nothing there takes them into the kernel at a failover
	Unclear        int          `json:"unclear"`        // in conntrackd's cache, and nothing shows that the peer still has them
	BeginAgain     int          `json:"begin_anew"`     // of survive: GRE, and SCTP without TCPWindowTracking, go on only where the peer lets them begin
	Peers          int          `json:"from_peer"`      // entries here that the peer's daemon has put into the kernel
	Undecided      int          `json:"undecided"`      // entries here that the file keeps out, of this node or of the peer
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
		Counts: c.Counts, Total: c.Own(), Unacknowledged: c.Unacknowledged, NotHeld: c.NotHeld, Uncommitted: c.Uncommitted, Unclear: c.Unclear, BeginAgain: c.BeginAgain, Peers: c.Peers, Undecided: c.Undecided, Table: c.Table,
		Role: c.Role, Time: &c.Time, Seconds: c.Took.Seconds(), Pending: c.Pending,
		Kinds: append([]Kind{}, c.Kinds...), Rules: append([]FilteredBy{}, c.Rules...),
	}
}

// Listed is an entry of a list as JSON.
type Listed struct {
	Entry string `json:"entry"`          // as conntrack prints it
	Why   string `json:"why"`            // missing, filtered, absent, or what differs
	Line  int    `json:"line,omitempty"` // of the file, where it is filtered
	Text  string `json:"text,omitempty"` // of that line's list
}

// Listed are the entries that would be lost, for JSON.
func (c *Coverage) Listed() []Listed {
	list := make([]Listed, 0, len(c.Sample))
	for _, lost := range c.Sample {
		why := "missing"
		if lost.Rule.Line > 0 {
			why = "filtered"
		}
		list = append(list, Listed{lost.text(), why, lost.Rule.Line, lost.Rule.Text})
	}
	return list
}

// ListedComparison is a comparison with its differences, as JSON.
type ListedComparison struct {
	Comparison
	Differences []Listed `json:"differences"`
}

// Listed is the comparison with its Sample, for JSON.
func (c Comparison) Listed() ListedComparison {
	list := make([]Listed, 0, len(c.Sample))
	for _, d := range c.Sample {
		list = append(list, Listed{Entry: d.text(), Why: d.What})
	}
	return ListedComparison{c, list}
}
