package text

import (
	"connsync/conntrackd/apply"
)

// Change is what r does, for its review to be told; diff is the change of the
// file.
func ChangeOf(r apply.Review, diff string) Change {
	return Change{
		Candidate: r.Candidate, Diff: diff, Replaces: r.Replaced(), Commands: r.Commands,
		Preparation: r.Preparation, PrepareHost: r.PrepareHost, FirstNode: r.FirstNode,
	}
}
