package tui

import (
	"fmt"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/netcheck"
)

// The words that carry the state of a check or a step. Colour may be added to
// them and never stands alone.
const (
	wordPending = "..."
	wordOK      = "ok"
	wordWarn    = "warn"
	wordFail    = "FAIL"
	wordSkip    = "skip"
	wordUnknown = "unknown"
	wordWidth   = len(wordUnknown)
)

// checkWord is the word for the result of a check.
func checkWord(r netcheck.Result) string {
	switch r.Status {
	case netcheck.Pending:
		return wordPending
	case netcheck.Passed:
		return wordOK
	case netcheck.Skipped:
		return wordSkip
	case netcheck.Failed:
		if r.Severity == netcheck.Warning {
			return wordWarn
		}
		return wordFail
	}
	return wordUnknown
}

// stepWord is the word for the state of a step.
func stepWord(s conntrackd.StepStatus) string {
	switch s {
	case conntrackd.StepRunning:
		return wordPending
	case conntrackd.StepDone:
		return wordOK
	case conntrackd.StepFailed:
		return wordFail
	case conntrackd.StepSkipped:
		return wordSkip
	}
	return wordUnknown
}

// CheckText is a finished check as plain text: the word and the finding, and
// beneath it the remedy where there is one. Nothing is wrapped or coloured.
func CheckText(r netcheck.Result) []string {
	lines := []string{wordColumn(checkWord(r)) + join(": ", Clean(r.Title), Clean(r.Detail))}
	if remedy := Clean(r.Remedy); remedy != "" {
		lines = append(lines, wordColumn("")+"-> "+remedy)
	}
	return lines
}

// StepText is a step of an apply as one line of plain text.
func StepText(s conntrackd.Step) string {
	text := wordColumn(stepWord(s.Status)) + join(": ", Clean(s.Title), Clean(s.Detail))
	if took := tookText(s.Took); took != "" {
		text += " (" + took + ")"
	}
	return text
}

// StatusSentence is the verdict on the sync in one sentence. Why and what to
// do are [conntrackd.Health]'s Cause and Next.
func StatusSentence(h conntrackd.Health) string {
	switch h.Verdict {
	case conntrackd.VerdictTwoWay:
		return "In sync both ways."
	case conntrackd.VerdictReceivingOnly:
		return "Only receiving: the peer does not hear this node."
	case conntrackd.VerdictSendingOnly:
		return "Only sending: this node does not hear the peer."
	case conntrackd.VerdictSilent:
		return "No word from the peer."
	case conntrackd.VerdictLosing:
		return "Losing messages: both ways are up, not everything arrives."
	case conntrackd.VerdictMismatch:
		return "Not in sync: the peer speaks another mode or to another port."
	case conntrackd.VerdictStopped:
		return "Stopped: no conntrackd runs with these settings."
	}
	return "Unknown: the state of the sync could not be seen."
}

// verdictWord is the word that goes before the sentence of a verdict.
func verdictWord(v conntrackd.Verdict) string {
	switch v {
	case conntrackd.VerdictTwoWay:
		return wordOK
	case conntrackd.VerdictReceivingOnly, conntrackd.VerdictSendingOnly, conntrackd.VerdictSilent, conntrackd.VerdictLosing:
		return wordWarn
	case conntrackd.VerdictMismatch, conntrackd.VerdictStopped:
		return wordFail
	}
	return wordUnknown
}

// stateWords is the verdict in a few words, for the right of the title.
func stateWords(v conntrackd.Verdict) string {
	switch v {
	case conntrackd.VerdictTwoWay:
		return "in sync both ways"
	case conntrackd.VerdictReceivingOnly:
		return "only receiving"
	case conntrackd.VerdictSendingOnly:
		return "only sending"
	case conntrackd.VerdictSilent:
		return "no word from the peer"
	case conntrackd.VerdictLosing:
		return "losing messages"
	case conntrackd.VerdictMismatch:
		return "not in sync"
	case conntrackd.VerdictStopped:
		return "sync stopped"
	}
	return "sync unknown"
}

// StatusText is the verdict as plain text: the sentence, the cause and the
// next step, one line each.
func StatusText(h conntrackd.Health) []string {
	lines := []string{wordColumn(verdictWord(h.Verdict)) + StatusSentence(h)}
	if cause := Clean(h.Cause); cause != "" {
		lines = append(lines, wordColumn("")+cause)
	}
	if next := Clean(h.Next); next != "" {
		lines = append(lines, wordColumn("")+"-> "+next)
	}
	return lines
}

// WarningText is a warning as one line of plain text.
func WarningText(text string) string { return wordColumn(wordWarn) + Clean(text) }

// CheckSentence is what a finished report means for a save, in one sentence.
func CheckSentence(r netcheck.Report) string {
	var blockers, unknowns, warnings int
	for _, res := range r.Results {
		switch {
		case res.Status == netcheck.Passed || res.Status == netcheck.Skipped:
		case res.Severity == netcheck.Warning:
			warnings++
		case res.Status == netcheck.Failed:
			blockers++
		default:
			unknowns++
		}
	}
	total := len(r.Results)
	switch r.Verdict() {
	case netcheck.VerdictPass:
		return fmt.Sprintf("All %d checks passed.", total)
	case netcheck.VerdictWarn:
		return fmt.Sprintf("A save is possible, with %d %s.", warnings, plural(warnings, "warning", "warnings"))
	case netcheck.VerdictBlocked:
		return fmt.Sprintf("A save is blocked by %d of %d checks.", blockers, total)
	}
	if total == 0 {
		return "Nothing was checked, so nothing is known."
	}
	return fmt.Sprintf("%d of %d checks could not look: no pass.", unknowns, total)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// OutcomeSentence says in one sentence how an apply ended.
func OutcomeSentence(o conntrackd.Outcome) string {
	switch {
	case o.Err == nil && o.Unseen() && !o.Changed:
		return "Nothing was changed; whether conntrackd runs as asked could not be seen."
	case o.Err == nil && o.Unseen():
		return "Saved; whether conntrackd runs as asked could not be seen."
	case o.Err == nil && !o.Changed:
		return "Nothing to do: these settings are already in force."
	case o.Err == nil:
		return "Saved, and in force."
	case o.RolledBack:
		return "Failed and taken back: the old state is in force again."
	case o.Changed:
		return "Failed, and the old state could NOT be brought back. Look at the steps above."
	}
	return "Failed before anything was changed."
}

// tookText is a duration that is worth showing, in seconds.
func tookText(d time.Duration) string {
	if d < 100*time.Millisecond {
		return ""
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// What the operator has to say explicitly, and what follows from it.
const (
	firstNodeText    = "This is the first node of the pair: the peer does not exist yet."
	firstNodeFollows = "The way to the peer is then not proven, and nothing is in sync until the peer is set up."
	unknownText      = "Go on without knowing."
	agreeText        = "I agree: what is listed as replaced goes away."
)

// wordColumn is word, padded to the column that all words share.
func wordColumn(word string) string {
	return fmt.Sprintf("%-*s  ", wordWidth, word)
}

// join joins the parts that are not blank.
func join(sep string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}
