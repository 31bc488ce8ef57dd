package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"connsync/conntrackd/apply"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/live"
	"connsync/tui/text"
)

// rehearseApply prints what a save would change, and ends as the save would before
// it begins: what it would be refused for is the error.
func (c *cli) rehearseApply(ctx context.Context, w io.Writer, f applyFlags, r apply.Review, used bool) error {
	if r.NeedsPeer() {
		r.Heard = live.Heard(ctx, netcheck.Target{Flow: c.FlowOf(ctx, r.Candidate.Settings)})
	}
	refusal := f.agreed(r)
	if refusal != nil || r.Unchanged || !used {
		return c.rehearse(ctx, w, r, f.asJSON, refusal, nil)
	}
	report := check.Run(ctx, c.Plan(ctx, r.Candidate.Settings, f.firstNode), nil)
	if report.Verdict() != check.VerdictUnknown || !f.acceptUnknown {
		refusal = verdictError(report)
	}
	return c.rehearse(ctx, w, r, f.asJSON, refusal, &report)
}

// rehearse prints the review of a change and why it would be refused: for refusal,
// for what the checks found, or for what the host is like.
func (c *cli) rehearse(ctx context.Context, w io.Writer, r apply.Review, asJSON bool, refusal error, report *check.Report) error {
	if refusal == nil && !r.Unchanged {
		if err := c.Applier(r).Obstacle(ctx, r.Candidate); err != nil {
			refusal = refused("%w", err)
		}
	}
	var said string
	var exit *exitError
	switch {
	case refusal == nil:
		report = nil
	case errors.As(refusal, &exit) && exit.err == nil: // the checks say why
		said = text.ChecksOf(*report).Sentence
		refusal = &exitError{exit.status, errors.New("the save would be refused: " + said)}
	default:
		said = refusal.Error()
	}
	if err := c.printReview(w, r, asJSON, said, report); err != nil {
		return err
	}
	if report != nil && !asJSON {
		for _, result := range report.Results {
			if result.Status != check.Passed && result.Status != check.Skipped {
				fmt.Fprintln(w, strings.Join(text.CheckLines(text.InSave(result, r.PrepareHost)), "\n"))
			}
		}
		if agreement := text.Agreement(*report); agreement != "" {
			fmt.Fprintln(w, agreement)
		}
	}
	return refusal
}

// reviewed is what apply --dry-run --json prints.
type reviewed struct {
	Changed     bool           `json:"changed"`
	Summary     string         `json:"summary"` // what the change means
	Diff        string         `json:"diff"`
	Commands    []string       `json:"commands"`
	Replaces    []string       `json:"replaces"`
	Notes       []string       `json:"notes"`
	PrepareHost bool           `json:"prepare_host"`
	Host        []preparedItem `json:"host"`
	Refused     string         `json:"refused,omitempty"` // why the save would not begin
	Checks      *check.Report  `json:"checks,omitempty"`  // that say so
}

func (c *cli) printReview(w io.Writer, r apply.Review, asJSON bool, refused string, report *check.Report) error {
	diff := r.Diff()
	change := text.ChangeOf(c.table, r, diff)
	if asJSON {
		return printJSON(w, reviewed{
			Changed: !r.Unchanged, Summary: change.Consequence.Sentence, Diff: r.Candidate.Diff(), Commands: orEmpty(r.Commands),
			Replaces: orEmpty(r.Candidate.Replaces), Notes: orEmpty(r.Candidate.Notes),
			PrepareHost: r.PrepareHost, Host: preparedItems(r), Refused: refused, Checks: report,
		})
	}
	if r.Unchanged {
		fmt.Fprintln(w, text.RehearsesNothing)
		return nil
	}
	fmt.Fprintln(w, change.Consequence.Sentence)
	printLines(w, diff)
	for _, part := range change.Sections() {
		section(w, part.Title, part.Lines)
	}
	return nil
}

// printNotes prints what is worth knowing of a change that nobody is asked about, before
// it begins.
func printNotes(w io.Writer, r apply.Review) {
	section(w, text.NotesTitle, text.Notes(r))
}

func section(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, title)
	for _, line := range lines {
		fmt.Fprintln(w, "  "+text.Clean(line))
	}
}

// orEmpty keeps null out of the JSON.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
