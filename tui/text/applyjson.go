package text

import (
	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
	"connsync/netcheck/check"
)

// Applied is what apply and rollback print as JSON; its names are a promise.
type Applied struct {
	Changed    bool           `json:"changed"`
	RolledBack bool           `json:"rolled_back"`
	Steps      []AppliedStep  `json:"steps"`
	Verdict    health.Verdict `json:"verdict"`
	Sync       apply.Sync     `json:"sync"`
	OldFile    bool           `json:"old_file,omitempty"` // conntrackd runs on with the file that was replaced
	Notes      []string       `json:"notes,omitempty"`    // of the change; see [Notes]
	Error      string         `json:"error,omitempty"`
	Save       int            `json:"save,omitempty"`           // its number in the history
	Foreign    string         `json:"foreign_change,omitempty"` // what someone else changed meanwhile
	Peer       *Peered        `json:"peer,omitempty"`           // after a save with sync enabled
	Refused    *check.Report  `json:"checks,omitempty"`
	// Problems are those of the settings, keyed by field.
	Problems map[conntrackd.Field]string `json:"problems,omitempty"`
}

// AppliedStep is a step of [Applied].
type AppliedStep struct {
	ID     step.ID     `json:"id"`
	Title  string      `json:"title"`
	Status step.Status `json:"status"`
	Detail string      `json:"detail"`
	Millis float64     `json:"millis"`
}

// StepOf is a step as JSON.
func StepOf(s step.Step) AppliedStep {
	return AppliedStep{s.ID, s.Title, s.Status, s.Detail, float64(s.Took.Microseconds()) / 1000}
}

// Peered is what there is to do at the other node, as JSON.
type Peered struct {
	Command     string `json:"command"`
	Note        string `json:"note"`
	Fingerprint string `json:"fingerprint"`
	Expected    string `json:"expected,omitempty"`
	Equal       *bool  `json:"equal,omitempty"`
}

// PeeredOf is what there is to do at the other node of s.
func PeeredOf(t conntrackd.SettingTable, s conntrackd.Settings, before ...conntrackd.Settings) Peered {
	return Peered{Command: PeerCommand(t, s, before...), Note: peerNoteFor(s), Fingerprint: Fingerprint(t, s)}
}

// AppliedOf is the save of r that ended as o.
func AppliedOf(t conntrackd.SettingTable, r apply.Review, o apply.Outcome) Applied {
	a := Applied{Changed: o.Changed, RolledBack: o.RolledBack, Verdict: o.Verdict, OldFile: o.OldFile, Steps: []AppliedStep{}, Save: o.Entry, Notes: Notes(r)}
	a.Sync = o.Sync(r.Candidate.Settings.Enabled, r.FirstNode)
	for _, s := range o.Steps {
		a.Steps = append(a.Steps, StepOf(s))
	}
	if o.Err != nil {
		a.Error, a.Foreign = o.Err.Error(), ForeignChange(o.Err)
	}
	if TellsPeer(t, r, o) {
		p := PeeredOf(t, r.Candidate.Settings, r.Candidate.OldSettings()...)
		a.Peer = &p
	}
	return a
}

// RefusedSave is a save that did not begin, and why.
func RefusedSave(why string, problems map[conntrackd.Field]string, checks *check.Report) Applied {
	return Applied{
		Verdict: health.VerdictUnknown, Sync: apply.SyncUnknown, Steps: []AppliedStep{}, Error: why, Problems: problems, Refused: checks,
	}
}

// TellsPeer says that the other node has to be set up alike now, and can be.
func TellsPeer(t conntrackd.SettingTable, r apply.Review, o apply.Outcome) bool {
	return o.Err == nil && o.Changed && PeerTakes(t, r.Candidate.Settings)
}
