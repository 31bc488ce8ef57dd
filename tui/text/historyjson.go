package text

import (
	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

// ListedSaves is what history prints as JSON; its names are a promise.
type ListedSaves struct {
	Saves []ListedSave `json:"saves"`
}

// ListedSave is a save of [ListedSaves].
type ListedSave struct {
	apply.Entry
	Summary string `json:"summary"` // what the save meant; blank where what it replaced cannot be read
}

// DiffedSave is what history --diff prints as JSON.
type DiffedSave struct {
	apply.Entry
	Summary string `json:"summary"` // what the save meant
	Diff    string `json:"diff"`
}

// ForgottenSave is what history --forget prints as JSON.
type ForgottenSave struct {
	Forgotten  int         `json:"forgotten"` // the number of the save
	Save       apply.Entry `json:"save"`
	Damage     string      `json:"damage"`     // what was damaged
	Unfinished bool        `json:"unfinished"` // it was interrupted and not repaired
}

// ListedSavesOf are the entries of a history, with what they changed where that was read.
func ListedSavesOf(t conntrackd.SettingTable, entries []apply.Entry) ListedSaves {
	l := ListedSaves{Saves: []ListedSave{}}
	for _, e := range entries {
		save := ListedSave{Entry: e}
		switch {
		case e.Change != nil:
			save.Summary = EntrySummary(t, e, e.Change.Before, e.Change.After)
		case !e.InForce() && e.Outcome != apply.EntryUnreadable:
			save.Summary = EntrySummary(t, e, apply.Standing{}, apply.Standing{})
		}
		l.Saves = append(l.Saves, save)
	}
	return l
}
