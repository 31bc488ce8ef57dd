package tui

import (
	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/netcheck/check"
)

// The outcomes that any screen may return.
type (
	// closed ends the screen; the one below appears again.
	closed struct{}
	// dialogWanted puts a question; the message of the chosen answer goes through
	// the root to every open screen.
	dialogWanted struct{ dialog *dialog }
	// quitWanted leaves the program, after a question if something would be lost.
	quitWanted struct{}
)

func (closed) outcome()       {}
func (dialogWanted) outcome() {}
func (quitWanted) outcome()   {}

// The outcomes of the form.
type (
	// saveWanted: the settings are good as far as the form can tell; check
	// them, review the change and apply it.
	saveWanted struct{ settings conntrackd.Settings }
	// checkWanted: run the checks and show them, nothing more.
	checkWanted struct{ settings conntrackd.Settings }
	// statusWanted: show how the sync goes.
	statusWanted struct{}
	// pickWanted: choose an interface; current is what the field holds.
	pickWanted struct{ current string }
)

func (saveWanted) outcome()   {}
func (checkWanted) outcome()  {}
func (statusWanted) outcome() {}
func (pickWanted) outcome()   {}

// settingsSaved tells every screen that these settings are in force now; the
// form takes them as what is saved.
type settingsSaved struct {
	settings conntrackd.Settings
	reread   bool // nothing was saved: they are somebody else's, as the file has them
}

// stateNoted sets the words at the right of the title, such as "in sync both
// ways", until the next look at the sync; any screen may send it.
type stateNoted struct{ text string }

// The outcomes on the way of a save.
type (
	// reviewWanted: the checks let the settings through; show the change.
	reviewWanted struct {
		settings   conntrackd.Settings
		firstNode  bool           // the operator said that the peer does not exist yet
		checked    bool           // the checks were the first step
		warnings   []check.Result // with which the save goes on
		leavesHost bool           // the operator said so
		firewall   bool           // the save adds the firewall rules
	}
	// settingsMended: other settings than the form's are checked; it takes them.
	settingsMended struct{ settings conntrackd.Settings }
	// applyWanted: the operator agreed to the review; carry it out.
	applyWanted struct {
		settings conntrackd.Settings
		review   apply.Review
		path     []string       // the steps in the header
		before   health.Verdict // of the sync, as far as it is known
	}
	// formWanted: back to the form, whatever lies between.
	formWanted struct{}
)

func (reviewWanted) outcome()   {}
func (settingsMended) outcome() {}
func (applyWanted) outcome()    {}
func (formWanted) outcome()     {}
