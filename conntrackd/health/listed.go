package health

import "connsync/conntrackd/coverage"

// ListedCoverage is which connections would be lost, as JSON.
type ListedCoverage struct {
	Verdict  Verdict           `json:"verdict"`
	Cause    string            `json:"cause"`
	Remedy   string            `json:"remedy"`
	Next     string            `json:"next"` // Remedy under its name of 1.0
	Coverage *coverage.Report  `json:"coverage"`
	Lost     []coverage.Listed `json:"lost"` // as many as were kept, see [coverage.Looker]
}

// ListedCoverage is the coverage, which must be there, with the connections that would be
// lost.
func (h Health) ListedCoverage() ListedCoverage {
	return ListedCoverage{h.Verdict, h.Cause, h.Next, h.Next, coverage.NewReport(h.Coverage, nil), h.Coverage.Listed()}
}
