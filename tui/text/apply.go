package text

import (
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/step"
)

// StepWord is the word for the state of a step.
func StepWord(s step.Status) string {
	switch s {
	case step.Running:
		return Pending
	case step.Done:
		return OK
	case step.Failed:
		return Fail
	case step.Skipped:
		return Skip
	}
	return Unknown
}

// StepLine is a step of an apply as one line of plain text.
func StepLine(s step.Step) string {
	text := Column(StepWord(s.Status)) + Join(": ", Clean(s.Title), Clean(s.Detail))
	if took := Took(s.Took); took != "" {
		text += " (" + took + ")"
	}
	return text
}

// Took is a duration that is worth showing, in seconds.
func Took(d time.Duration) string {
	if d < 100*time.Millisecond {
		return ""
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Outcome is how a save ended, as it is told.
type Outcome struct {
	Sentence string
	// Sync is the verdict on the sync in a sentence, or that it is off; blank where the
	// save failed.
	Sync string
	Word string // the word that goes with both
	// Why is the reason of a failure; blank where a failed step has said it.
	Why string
	// Foreign is what someone else changed in the file since it was read, as a
	// diff; blank where that is not why the save failed. See [ForeignMeanwhile].
	Foreign string
}

// OutcomeOf tells how a save ended that took these steps and is to leave the
// sync enabled or not; sync is how the nodes stand by that.
func OutcomeOf(o apply.Outcome, steps []step.Step, sync apply.Sync) Outcome {
	t := Outcome{Sentence: outcomeSentence(o, sync), Word: OK, Foreign: ForeignChange(o.Err)}
	switch {
	case o.Err != nil:
		t.Word, t.Why = Fail, unsaid(o.Err, steps)
		return t
	case sync == apply.SyncOff:
		t.Sync = SyncIsOff
		return t
	case o.Unseen():
		t.Word = Unknown
	case sync == apply.SyncWaits, o.LeftAlone:
		return t // that the peer is silent, or nobody has looked, is no news
	case o.Verdict != "":
		t.Word = VerdictWord(o.Verdict)
	}
	if o.Verdict != "" {
		t.Sync = StatusSentence(o.Verdict)
	}
	if _, why, ok := strings.Cut(t.Sync, ": "); ok && sync == apply.SyncFails {
		t.Sync = Capital(why) // that it fails is said
	}
	return t
}

// outcomeSentence says in one sentence how an apply ended.
func outcomeSentence(o apply.Outcome, sync apply.Sync) string {
	const inForce = "Saved, and in force."
	const unseen = "whether conntrackd runs as requested is unknown."
	switch {
	case o.Err == nil && o.Unseen() && !o.Changed:
		return "Nothing was changed; " + unseen
	case o.Err == nil && o.Unseen():
		return "Saved; " + unseen
	case o.Err == nil && !o.Changed && sync == apply.SyncFails:
		return "These settings are in force already, " + notInSync(o)
	case o.Err == nil && !o.Changed && o.LeftAlone:
		return "Nothing to do: the file has these settings already."
	case o.Err == nil && !o.Changed:
		return NothingToDo
	case o.Err == nil && o.OldFile:
		return "Saved; conntrackd still runs with the old file."
	case o.Err == nil && o.LeftAlone:
		return "Saved; conntrackd was not started, restarted or stopped."
	case o.Err == nil && sync == apply.SyncFails:
		return "Saved and in force, " + notInSync(o)
	case o.Err == nil && sync == apply.SyncWaits:
		return inForce + " Step 1 of 2 done; next, set up the peer."
	case o.Err == nil:
		return inForce
	case o.RolledBack:
		return "Save failed and was rolled back: the old state is in force again."
	case o.Changed:
		return "Save failed and the rollback FAILED. See the steps above."
	}
	return "Failed before anything was changed."
}

// notInSync ends the sentence of a save after which the nodes do not sync.
func notInSync(o apply.Outcome) string {
	if o.Verdict.BothWays() {
		return "but sync is incomplete."
	}
	return "but the nodes are NOT in sync."
}

// NothingToDo is said of a save of what is in force, AppliesNothing with it
// where there was a review, and NothingChanged where a save was given up.
const (
	NothingToDo    = "Nothing to do: these settings are already in force."
	AppliesNothing = "No file is written and nothing is restarted."
	NothingChanged = "Nothing was changed."
)

// NothingToSave is what is said of a review that found nothing to do for the settings.
func NothingToSave(s conntrackd.Settings) string {
	if begun := s.Interface != "" || s.Current.IsValid() || s.Peer.IsValid(); begun && !s.Enabled && !s.Complete() {
		return "Nothing is saved: sync stays disabled, and the settings are not complete. They need an interface, both addresses and a port."
	}
	return NothingToDo
}

// unsaid is why a save failed; blank where a failed step has said it.
func unsaid(err error, steps []step.Step) string {
	why := err.Error()
	for _, s := range steps {
		if s.Status == step.Failed && strings.Contains(s.Detail, why) {
			return ""
		}
	}
	return Clean(why)
}

// Underway says what a save that took these steps is doing, and what ctrl+c
// does to it; stopping says that ctrl+c came already.
func Underway(steps []step.Step, stopping bool) string {
	switch {
	case stopping && !written(steps):
		return "Stopping. Nothing has been written."
	case stopping:
		return "Stopping. The change is completed or rolled back first."
	case AwaitsPeer(steps):
		return "Waiting for the peer. ctrl+c ends the wait; the change stays."
	case written(steps):
		return "Working. Do not power off. Ctrl+C waits for a safe point."
	}
	return "Working. ctrl+c stops it; nothing has been written yet."
}

// Interrupted says what an interrupt of a save leaves, and for how long.
const Interrupted = "the change in progress is completed or rolled back first (up to two minutes)"

// written reports whether the write has begun, after which an end of the work
// has to put things back.
func written(steps []step.Step) bool {
	for _, s := range steps {
		if s.ID != step.Lock && s.ID != apply.StepBackup {
			return true
		}
	}
	return false
}

// AwaitsPeer reports whether all that goes on is the wait for the peer's word.
func AwaitsPeer(steps []step.Step) bool {
	if len(steps) == 0 {
		return false
	}
	last := steps[len(steps)-1]
	return last.Status == step.Running && (last.ID == apply.StepHeard || last.ID == apply.StepHeardBy)
}
