package text

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connsync/netcheck"
	"connsync/netcheck/check"
)

// CheckWord is the word for the result of a check.
func CheckWord(r check.Result) string {
	switch r.Status {
	case check.Pending:
		return Pending
	case check.Passed:
		return OK
	case check.Skipped:
		return Skip
	case check.Failed:
		if r.Severity == check.Warning {
			return Warn
		}
		return Fail
	}
	return Unknown
}

// CheckLines is a finished check as plain text: the word and the finding, and
// beneath it the remedy where there is one. Nothing is wrapped or coloured.
func CheckLines(r check.Result) []string {
	lines := []string{Column(CheckWord(r)) + Join(": ", Clean(r.Title), Clean(r.Detail))}
	if remedy := Clean(r.Remedy); remedy != "" {
		lines = append(lines, Column("")+"-> "+remedy)
	}
	return lines
}

// Checks is a finished report as it is told.
type Checks struct {
	Sentence string // what it means for a save
	Word     string // the word that goes with the sentence
	// Obstacles are the results that keep a save from going on.
	Obstacles []check.Result
	// OnlyPeer says that nothing but the peer's silence is in the way, which on
	// the first node of a pair it is not: see [FirstNode].
	OnlyPeer bool
}

// ChecksOf tells a finished report.
func ChecksOf(r check.Report) Checks {
	c := Checks{Sentence: reportSentence(r), Word: Warn, OnlyPeer: onlyPeer(r)}
	stands := check.Failed
	switch r.Verdict() {
	case check.VerdictPass:
		c.Word = OK
		return c
	case check.VerdictWarn:
		return c
	case check.VerdictBlocked:
		c.Word = Fail
	case check.VerdictUnknown:
		stands = check.Unknown
	}
	for _, res := range r.Results {
		if res.Severity == check.Blocker && res.Status == stands {
			c.Obstacles = append(c.Obstacles, res)
		}
	}
	return c
}

// onlyPeer says whether everything that blocks is what a first node need not
// insist on.
func onlyPeer(r check.Report) bool {
	mild := map[check.ID]bool{}
	for _, c := range netcheck.Plan(netcheck.Target{FirstNode: true}) {
		mild[c.ID] = c.Severity == check.Warning
	}
	blockers := r.Blockers()
	return len(blockers) > 0 && !slices.ContainsFunc(blockers, func(b check.Result) bool { return !mild[b.ID] })
}

// reportSentence is what a finished report means for a save, in one sentence.
func reportSentence(r check.Report) string {
	var blockers, unknowns, warnings int
	for _, res := range r.Results {
		switch {
		case res.Status == check.Passed || res.Status == check.Skipped:
		case res.Severity == check.Warning:
			warnings++
		case res.Status == check.Failed:
			blockers++
		default:
			unknowns++
		}
	}
	total := len(r.Results)
	if slices.ContainsFunc(r.Results, func(res check.Result) bool { return errors.Is(res.Err, context.Canceled) }) {
		return "The checks were interrupted: no pass."
	}
	switch r.Verdict() {
	case check.VerdictPass:
		return fmt.Sprintf("All %d checks passed.", total)
	case check.VerdictWarn:
		return fmt.Sprintf("A save is possible, with %d %s.", warnings, Plural(warnings, "warning", "warnings"))
	case check.VerdictBlocked:
		return fmt.Sprintf("A save is blocked by %d of %d checks.", blockers, total)
	}
	if total == 0 {
		return "Nothing was checked, so nothing is known."
	}
	return fmt.Sprintf("%d of %d checks could not look: no pass.", unknowns, total)
}

// What the operator has to say explicitly of a report, and what follows from
// it. The short ones are for narrow screens.
const (
	FirstNode             = "This is the first node of the pair: the peer does not exist yet."
	FirstNodeFollows      = "The way to the peer is then not proven, and nothing is in sync until the peer is set up."
	FirstNodeShort        = "First node: no peer yet."
	FirstNodeFollowsShort = "Nothing is in sync until it is set up."
	FirstNodeFlag         = "If this is the first node of the pair and the peer is not there yet, add --first-node."
	GoOnUnknown           = "Go on without knowing."
)

// Agreement names the agreement with which a save would go on all the same; blank
// where there is none.
func Agreement(report check.Report) string {
	told := ChecksOf(report)
	switch {
	case told.OnlyPeer:
		return FirstNodeFlag
	case report.Verdict() == check.VerdictUnknown:
		return "Agree to what could not be checked with --accept-unknown."
	}
	return ""
}
