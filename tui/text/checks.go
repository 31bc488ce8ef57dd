package text

import (
	"fmt"
	"slices"

	"connsync/netcheck"
)

// CheckWord is the word for the result of a check.
func CheckWord(r netcheck.Result) string {
	switch r.Status {
	case netcheck.Pending:
		return Pending
	case netcheck.Passed:
		return OK
	case netcheck.Skipped:
		return Skip
	case netcheck.Failed:
		if r.Severity == netcheck.Warning {
			return Warn
		}
		return Fail
	}
	return Unknown
}

// CheckLines is a finished check as plain text: the word and the finding, and
// beneath it the remedy where there is one. Nothing is wrapped or coloured.
func CheckLines(r netcheck.Result) []string {
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
	Obstacles []netcheck.Result
	// OnlyPeer says that nothing but the peer's silence is in the way, which on
	// the first node of a pair it is not: see [FirstNode].
	OnlyPeer bool
}

// ChecksOf tells a finished report.
func ChecksOf(r netcheck.Report) Checks {
	c := Checks{Sentence: reportSentence(r), Word: Warn, OnlyPeer: onlyPeer(r)}
	stands := netcheck.Failed
	switch r.Verdict() {
	case netcheck.VerdictPass:
		c.Word = OK
		return c
	case netcheck.VerdictWarn:
		return c
	case netcheck.VerdictBlocked:
		c.Word = Fail
	case netcheck.VerdictUnknown:
		stands = netcheck.Unknown
	}
	for _, res := range r.Results {
		if res.Severity == netcheck.Blocker && res.Status == stands {
			c.Obstacles = append(c.Obstacles, res)
		}
	}
	return c
}

// onlyPeer says whether everything that blocks is what a first node need not
// insist on.
func onlyPeer(r netcheck.Report) bool {
	mild := map[netcheck.ID]bool{}
	for _, c := range netcheck.Plan(netcheck.Target{FirstNode: true}) {
		mild[c.ID] = c.Severity == netcheck.Warning
	}
	blockers := r.Blockers()
	return len(blockers) > 0 && !slices.ContainsFunc(blockers, func(b netcheck.Result) bool { return !mild[b.ID] })
}

// reportSentence is what a finished report means for a save, in one sentence.
func reportSentence(r netcheck.Report) string {
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
		return fmt.Sprintf("A save is possible, with %d %s.", warnings, Plural(warnings, "warning", "warnings"))
	case netcheck.VerdictBlocked:
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
