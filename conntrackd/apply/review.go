package apply

import (
	"connsync/conntrackd"
	"connsync/conntrackd/prepare"
)

// Review is what a save would do, for the operator to agree to.
type Review struct {
	// Candidate is the file as it would be, with the settings that are to be
	// in force; nil only beside an error.
	Candidate *conntrackd.Candidate
	// Commands are what will run, in order, in shell words.
	Commands []string
	// FirstNode is the operator's word that the peer does not exist yet. The
	// screen sets it; a Reviewer leaves it alone.
	FirstNode bool
	// Unchanged says that file, service and host are already as wanted: there
	// is nothing to apply.
	Unchanged bool
	// Preparation is how the host stands to its sync, beside the file.
	// PrepareHost says that what is missing is set right with the save; a
	// Reviewer proposes it, and the operator decides on the screen.
	Preparation prepare.Preparation
	PrepareHost bool
	// Accepted are the offers of the preparation that the operator agreed to.
	Accepted []prepare.ItemID
	// OnlyHost says that nothing but the host's preparation is left to do.
	OnlyHost bool
}

// Replaced lists what the operator has to agree to lose.
func (r Review) Replaced() []string {
	if r.Candidate == nil || r.Unchanged {
		return nil
	}
	return r.Candidate.Replaces
}

// Diff is the change of the file, unified; blank when there is none. It holds the
// file's own text: control characters are the reader's to strip.
func (r Review) Diff() string {
	if r.Candidate == nil || r.Unchanged {
		return ""
	}
	return r.Candidate.Diff()
}
