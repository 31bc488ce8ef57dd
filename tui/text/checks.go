package text

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/plural"
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

// InSave is r as it is told before a save: what the save itself fixes has no other remedy.
// host says that the save prepares the host.
func InSave(r check.Result, host bool) check.Result {
	if host && r.Mend == check.MendHost && r.Status == check.Failed {
		r.Remedy = "this save fixes it"
	}
	return r
}

// IsProblem reports whether a finished check is something to read: it failed, or
// could not run.
func IsProblem(r check.Result) bool { return r.Status == check.Failed || r.Status == check.Unknown }

// ProblemsFirst parts results into the problems, the worst first, and the rest.
func ProblemsFirst(results []check.Result) (problems, rest []check.Result) {
	rank := func(r check.Result) int {
		switch {
		case r.Status == check.Failed && r.Severity == check.Blocker:
			return 0
		case r.Status == check.Failed:
			return 1
		}
		return 2
	}
	for _, r := range results {
		if IsProblem(r) {
			problems = append(problems, r)
		} else {
			rest = append(rest, r)
		}
	}
	slices.SortStableFunc(problems, func(a, b check.Result) int { return rank(a) - rank(b) })
	return problems, rest
}

// Folded is what the checks that are no problem come to, in a few words.
func Folded(rest []check.Result) string {
	var words []string
	for _, word := range []string{OK, Skip, Pending} {
		n := 0
		for _, r := range rest {
			if CheckWord(r) == word {
				n++
			}
		}
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, map[string]string{OK: "ok", Skip: "skipped", Pending: "open"}[word]))
		}
	}
	return strings.Join(words, ", ")
}

// Unsettled are the problems with which a save goes on: without those that the save
// itself mends, those in which none has a part, and those that a first node is agreed to
// have.
func Unsettled(report check.Report, firstNode, host bool) []check.Result {
	mild := onlyPeerPasses()
	var left []check.Result
	for _, r := range report.Results {
		if IsProblem(r) && !r.Lasting && !(host && r.Mend == check.MendHost) && !(firstNode && mild[r.ID]) {
			left = append(left, r)
		}
	}
	return left
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
	mild := onlyPeerPasses()
	blockers := r.Blockers()
	return len(blockers) > 0 && !slices.ContainsFunc(blockers, func(b check.Result) bool { return !mild[b.ID] })
}

// onlyPeerPasses are the checks that only a living peer can pass.
func onlyPeerPasses() map[check.ID]bool {
	mild := map[check.ID]bool{}
	strict := map[check.ID]check.Severity{}
	for _, c := range netcheck.Plan(netcheck.Target{}) {
		strict[c.ID] = c.Severity
	}
	for _, c := range netcheck.Plan(netcheck.Target{FirstNode: true}) {
		mild[c.ID] = c.Severity != strict[c.ID]
	}
	return mild
}

// reportSentence is what a finished report means for a save, in one sentence.
func reportSentence(r check.Report) string {
	n := map[string]int{}
	for _, res := range r.Results {
		n[CheckWord(res)]++
	}
	total := len(r.Results)
	if slices.ContainsFunc(r.Results, func(res check.Result) bool { return errors.Is(res.Err, context.Canceled) }) {
		return "The checks were interrupted; their result is inconclusive."
	}
	switch r.Verdict() {
	case check.VerdictPass:
		return fmt.Sprintf("All %d checks passed.", total)
	case check.VerdictWarn:
		var with []string
		if n[Warn] > 0 {
			with = append(with, plural.Of(n[Warn], "warning", "warnings"))
		}
		if n[Unknown] > 0 {
			with = append(with, fmt.Sprintf("%d unknown", n[Unknown]))
		}
		return "A save is possible, with " + strings.Join(with, ", ") + "."
	case check.VerdictBlocked:
		return fmt.Sprintf("A save is blocked by %d of %d checks.", n[Fail], total)
	}
	if total == 0 {
		return "No check ran, so the result is inconclusive."
	}
	return fmt.Sprintf("%d of %d checks could not run; the result is inconclusive.", n[Unknown], total)
}

// What the operator has to say explicitly of a report, and what follows from
// it. The short ones are for narrow screens.
const (
	FirstNode             = "This is the first node of the pair: the peer does not exist yet."
	FirstNodeFollows      = "The path to the peer is then not proven, and nothing is in sync until the peer is set up."
	FirstNodeShort        = "First node: no peer yet."
	FirstNodeFollowsShort = "Nothing is in sync until it is set up."
	FirstNodeFlag         = "If the peer is not set up yet, or is off, add --first-node."
	GoOnUnknown           = "Save despite unknown checks."
)

// Agreement names the agreement with which a save would go on all the same; blank
// where there is none.
func Agreement(report check.Report) string {
	told := ChecksOf(report)
	switch {
	case told.OnlyPeer:
		return FirstNodeFlag
	case report.Verdict() == check.VerdictUnknown:
		return "To save although checks could not run, add --accept-unknown."
	}
	return ""
}
