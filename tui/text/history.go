package text

import (
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/shell"
)

// EntryLines is a save of the history as plain text: one line, and beneath it
// why it failed where it did.
func EntryLines(e apply.Entry) []string {
	line := fmt.Sprintf("%4d  %s  %-11s %s", e.Number, EntryTime(e.Time), EntryOutcome(e), EntryBy(e))
	if what := EntryWhat(e); what != "" {
		line += ", " + what
	}
	lines := []string{strings.TrimRight(line, " ")}
	if detail := Clean(e.Detail); detail != "" {
		lines = append(lines, "      "+detail)
	}
	return lines
}

// What is said where no save is listed, and of a save that did not touch
// the file.
const (
	NothingSaved = "Nothing has been saved yet."
	FileStayed   = "The file stayed as it was."
)

// NoHistory says why the saves cannot be listed.
func NoHistory(err error) string { return "The history cannot be read: " + Clean(err.Error()) }

// NoEntry says why the change of one save cannot be shown.
func NoEntry(err error) string { return "What it changed cannot be read: " + Clean(err.Error()) }

// EntryTime is a time in this host's zone, as wide as any other.
func EntryTime(t time.Time) string {
	if t.IsZero() {
		return strings.Repeat("-", 16)
	}
	return t.Local().Format("2006-01-02 15:04")
}

// EntryOutcome is how a save ended, in a word.
func EntryOutcome(e apply.Entry) string {
	if e.Outcome == apply.EntryPending {
		return "unfinished"
	}
	return Clean(string(e.Outcome))
}

// EntryBy is who made a save, and where.
func EntryBy(e apply.Entry) string {
	by := Clean(e.By.User)
	if by == "" {
		by = "somebody"
	}
	if terminal := strings.TrimPrefix(Clean(e.By.Terminal), "/dev/"); terminal != "" {
		by += " on " + terminal
	}
	return by
}

// EntryWhat is what a save did, in a few words.
func EntryWhat(e apply.Entry) string {
	var words []string
	if e.Undoes != 0 {
		words = append(words, fmt.Sprintf("rolled back save %d", e.Undoes))
	}
	meant := entryMeant(e)
	switch {
	case e.Outcome == apply.EntryUnreadable:
		return ""
	case e.Before == "none":
		words = append(words, "created the file")
	case e.After == "none":
		words = append(words, "removed the file")
	case meant != "":
	case e.Changed() && len(e.Changes) > 0:
		words = append(words, differences(conntrackd.NewSettingTable(), e.Changes)...)
	case e.Changed():
		words = append(words, "changed the file")
	}
	switch {
	case meant != "":
		words = append(words, meant)
	case e.Service == "" || e.Asked == e.Was:
	case e.Asked.Active && e.Asked.Enabled:
		words = append(words, "enabled sync")
	case !e.Asked.Active && !e.Asked.Enabled:
		words = append(words, "disabled sync")
	default:
		words = append(words, "changed the service")
	}
	if e.Repair != "" {
		words = append(words, repairWords(e.Repair))
	}
	if e.Outcome == apply.EntrySaved && e.Verdict != "" && e.Verdict != health.VerdictUnknown && e.Asked.Active {
		words = append(words, ShortVerdict(e.Verdict))
	}
	return strings.Join(words, ", ")
}

// entryMeant is [EntrySummary] as words in a line; blank where what is in the record says
// more, or nothing else is known.
func entryMeant(e apply.Entry) string {
	c := e.Change
	if c == nil || !e.InForce() || c.After.Alone {
		return ""
	}
	said := strings.TrimSuffix(EntrySummary(conntrackd.NewSettingTable(), e, c.Before, c.After), ".")
	if rest, ok := strings.CutPrefix(said, "Sync "); ok {
		said = "sync " + rest
	}
	if strings.HasPrefix(said, "sync stayed ENABLED") {
		return ""
	}
	return said
}

const beforeAnything = "before it changed anything"

func repairWords(r apply.RecoveryResult) string {
	switch r {
	case apply.RecoveryUnchanged:
		return beforeAnything
	case apply.RecoveryRolledBack:
		return "then rolled back"
	case apply.RecoveryInForce:
		return "and is in force"
	case apply.RecoveryForeign:
		return "then changed by someone else"
	}
	return "and NOT repaired"
}

// RecoverySentence says in one sentence what became of a save that was
// interrupted, and in a second one what stays of it; blank where none was. called
// is how the operator calls this program.
func RecoverySentence(r apply.Recovery, called shell.Program) string {
	said := recoverySentence(r)
	if r.HostStays {
		said = strings.TrimSuffix(said, ".") + ". Its changes to the host beside the file stay; " + Clean(called.Command("unprepare")) + " undoes them."
	}
	return said
}

func recoverySentence(r apply.Recovery) string {
	subject := "An interrupted save"
	if e := r.Entry; e.Number != 0 {
		subject = fmt.Sprintf("Save %d (%s, %s) was interrupted", e.Number, EntryTime(e.Time), EntryBy(e))
	}
	path := Clean(r.Entry.Path)
	switch r.Result {
	case apply.RecoveryNone:
		return ""
	case apply.RecoveryUnchanged:
		if r.Entry.Number == 0 {
			return subject + " had changed nothing; its leftover files were removed."
		}
		return subject + " " + beforeAnything + ": what was in force still is."
	case apply.RecoveryRolledBack:
		return subject + "; it was rolled back: the old file and the old state of the service are in force."
	case apply.RecoveryInForce:
		return subject + " after its change was made: the new file is complete and in force."
	case apply.RecoveryForeign:
		return subject + ", and someone else has changed " + path + " since: the file was not touched."
	case apply.RecoveryOther:
		return subject + " and is not repaired yet: it was made with --service " + serviceWords(r.Entry) + "; run connsync with the same."
	}
	why := ""
	if r.Err != nil {
		why = ": " + Clean(r.Err.Error())
	}
	if r.Entry.Number == 0 {
		return "Whether a save was interrupted is unknown" + why
	}
	return subject + " and could NOT be repaired" + why
}

// RemovalLines says what is lost when a save is removed from the history.
func RemovalLines(r apply.Removal) []string {
	e := r.Entry
	lines := EntryLines(e)
	if r.Damage != "" && e.Outcome != apply.EntryUnreadable { // whose line has it already
		lines = append(lines, "      "+Clean(r.Damage))
	}
	lines = append(lines, fmt.Sprintf("Lost with save %d: its record, the file that it replaced and the file that it wrote. It can no longer be rolled back.", e.Number))
	if r.Unfinished() {
		lines = append(lines, fmt.Sprintf("The save was interrupted and will not be repaired: %s and the service stay as they are now. Check them with %s.", Clean(e.Path), Clean(r.Called().Command("status"))))
	}
	return lines
}

func serviceWords(e apply.Entry) string {
	if e.Service == "" {
		return "none"
	}
	return Clean(e.Service)
}
