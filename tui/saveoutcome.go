package tui

import (
	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

// The outcomes on the way of a save.
type (
	// reviewWanted: the checks let the settings through; show the change.
	reviewWanted struct {
		settings  conntrackd.Settings
		firstNode bool // the operator said that the peer does not exist yet
	}
	// applyWanted: the operator agreed to the review; carry it out.
	applyWanted struct {
		settings conntrackd.Settings
		review   apply.Review
	}
	// formWanted: back to the form, whatever lies between.
	formWanted struct{}
)

func (reviewWanted) outcome() {}
func (applyWanted) outcome()  {}
func (formWanted) outcome()   {}
