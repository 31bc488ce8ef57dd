package tui

import (
	"connsync/tui/text"
)

// Change is what r does, for its review to be told; diff is the change of the
// file.
func ChangeOf(r Review, diff string) text.Change {
	return text.Change{
		Candidate: r.Candidate, Diff: diff, Replaces: r.replaces(), Commands: r.Commands,
		Preparation: r.Preparation, PrepareHost: r.PrepareHost, FirstNode: r.FirstNode,
	}
}
