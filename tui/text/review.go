package text

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/netcheck/check"
	"connsync/plural"
	"connsync/shell"
)

// Change is what a save would do, for a review to tell.
type Change struct {
	Consequence Consequence           // what it means, first of all
	Candidate   *conntrackd.Candidate // nil where the file stays
	Diff        string                // of the file, unified; blank where it stays
	Replaces    []string              // what the operator has to agree to lose
	Commands    []string              // what will run, in order
	Preparation prepare.Preparation
	PrepareHost bool // what the host lacks is set right with the save
	FirstNode   bool // the operator said that the peer does not exist yet
}

// Agree is what the operator says to what a save replaces.
const Agree = "I agree: what is listed as replaced will be lost."

// Rows tell the change before it happens, without the diff.
func (c Change) Rows() []Row {
	var rows []Row
	if c.Consequence.Sentence != "" {
		row := Row{Text: c.Consequence.Sentence}
		if c.Consequence.Warns {
			row.Word = Warn
		}
		rows = append(rows, row, Row{})
	}
	if c.Candidate != nil && c.Candidate.Undoes != 0 {
		rows = append(rows, Row{Text: fmt.Sprintf("Rolls back save %d.", c.Candidate.Undoes)})
	}
	rows = append(rows, Row{Text: Clean(c.file())})
	for _, what := range c.Replaces {
		rows = append(rows, Row{Label: "! replaces", Text: Clean(what), Word: Warn})
	}
	for _, command := range c.Commands {
		rows = append(rows, Row{Label: "runs", Text: Clean(command)})
	}
	rows = append(rows, c.HostRows()...)
	if c.FirstNode {
		rows = append(rows, Row{Label: "note", Text: "first node of the pair: the path to the peer was not proven."})
	}
	if c.Candidate != nil {
		for _, note := range c.Candidate.Notes {
			rows = append(rows, Row{Label: "note", Text: Clean(note)})
		}
	}
	return rows
}

// WithWarnings puts the problems with which a save goes on behind the first of its
// rows, each with its mark.
func WithWarnings(rows []Row, warnings []check.Result) []Row {
	var warned []Row
	for _, r := range warnings {
		label := "! warning"
		if r.Status == check.Unknown {
			label = "! unknown"
		}
		warned = append(warned, Row{Label: label, Text: Join(": ", Clean(r.Title), Clean(r.Detail)), Word: Warn})
	}
	if len(rows) == 0 {
		return warned
	}
	return slices.Insert(rows, 1, warned...)
}

// file says what becomes of the file.
func (c Change) file() string {
	added, removed := countLines(c.Diff, "+"), countLines(c.Diff, "-")
	switch {
	case c.Candidate == nil || c.Diff == "":
		return "The file stays as it is."
	case c.Candidate.New == nil:
		return fmt.Sprintf("Removes %s, %s; it did not exist before that save.", c.Candidate.Path, plural.Of(removed, "line", "lines"))
	case c.Candidate.Old == nil:
		return fmt.Sprintf("Creates %s, %s.", c.Candidate.Path, plural.Of(added, "line", "lines"))
	}
	return fmt.Sprintf("Changes %s: %s added, %d removed.", c.Candidate.Path, plural.Of(added, "line", "lines"), removed)
}

// HostRows tell what the save does about the host beside the file, and what it
// leaves alone there.
func (c Change) HostRows() []Row {
	label := "host"
	if !c.PrepareHost {
		label = "skip"
	}
	var rows []Row
	for _, item := range c.Preparation.Missing() {
		row := Row{Label: label, Text: Clean(item.Title + ": " + item.Reason + ".")}
		for _, command := range item.Commands {
			row.Commands = append(row.Commands, Clean(command))
		}
		rows = append(rows, row)
	}
	if offer := c.OfferedHook(); offer != "" {
		rows = append(rows, Row{Label: "offer", Text: Clean(offer)})
	}
	for _, stays := range c.Preparation.Stays() {
		detail := stays.Detail
		if stays.State == prepare.ItemUnknown { // an error does not say what it stood in the way of
			detail = stays.String()
		}
		rows = append(rows, Row{Label: "Not changed", Text: Clean(detail), Word: Warn})
	}
	return rows
}

// OfferedHook tells the offer of the hook, blank where there is none.
func (c Change) OfferedHook() string {
	i, ok := c.Preparation.Item(prepare.ItemHook)
	if !ok || i.State != prepare.ItemOffered {
		return ""
	}
	return i.Detail + ": connsync can add the lines and have keepalived read them. With them the peer keeps the states in its external cache, where no connection expires."
}

// HookChoice is what the operator may decide about the hook.
const HookChoice = "External cache and keepalived's hook."

// HostChoice is what the operator may decide about the host, with so many items
// listed above.
func HostChoice(items int, called shell.Program) string {
	return "Prepare the host (" + plural.Of(items, "item", "items") + " above); " + Clean(called.Command("unprepare")) + " undoes it."
}

// NotesTitle stands above the notes of a change.
const NotesTitle = "Notes:"

// Notes are what is worth knowing of a change beside its diff, such as that it undoes
// what was edited by hand since.
func Notes(r apply.Review) []string {
	if r.Candidate == nil {
		return nil
	}
	return r.Candidate.Notes
}

// Sections tell the change as the rehearsal of a command does, without the
// diff. Those that have no lines are left out.
func (c Change) Sections() []Section {
	var would, stays, notes []string
	for _, i := range c.Preparation.Missing() {
		would = append(would, Clean(string(i.ID)+": "+i.Title))
		for _, command := range i.Commands {
			would = append(would, Clean("  "+command))
		}
	}
	for _, one := range c.Preparation.Stays() {
		stays = append(stays, Clean(one.String()))
	}
	title := "This would be done about the host (not with --prepare-host=false):"
	if !c.PrepareHost {
		title = "This would not be done about the host, because of --prepare-host=false:"
	}
	if c.Candidate != nil {
		notes = c.Candidate.Notes
	}
	var offers []string
	if offer := c.OfferedHook(); offer != "" {
		offers = append(offers, offer)
	}
	var sections []Section
	for _, s := range []Section{
		{"This replaces:", cleaned(c.Replaces)}, {NotesTitle, cleaned(notes)}, {"These commands would run:", cleaned(c.Commands)},
		{title, would}, {"Not changed:", stays},
		{"This would be done too with --role primary-backup --keepalived-hook:", cleaned(offers)},
	} {
		if len(s.Lines) > 0 {
			sections = append(sections, s)
		}
	}
	return sections
}

func cleaned(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, Clean(l))
	}
	return out
}

// RehearsesNothing is said of the rehearsal of what is in force.
const RehearsesNothing = "Nothing to do: these settings are in force."

// NoReview says why there is no change to show.
func NoReview(err error) string { return "The change could not be computed: " + Clean(err.Error()) }

// What is said of a change of the file by someone else: on the screen, which
// has a button for it, line by line, and where it came during a save.
const (
	typedStays       = "what you have typed stays."
	ForeignTaken     = "That is taken into the settings; " + typedStays
	ForeignMeanwhile = "Someone else changed the file meanwhile:"
)

// ForeignOnForm is said on the form of what someone else did, where a key takes that
// into it.
func ForeignOnForm(did, key string) string {
	return "Someone else " + did + ". " + key + " reloads the settings; " + typedStays
}

// NotReread is said where that failed.
func NotReread(err error) string { return "It could not be read again: " + Clean(err.Error()) }

// ForeignSince is said where the diff follows.
func ForeignSince(path string) string { return foreign(path) + " since it was read:" }

// ForeignRefusal is said where the change can be taken into the form.
func ForeignRefusal(path string) string {
	return foreign(path) + " since the form read it. Reload File takes that into the form; " + typedStays
}

func foreign(path string) string { return "Someone else has changed " + Clean(path) }

// ForeignChange is what someone else changed in the file since it was read, as
// a diff; blank where that is not why a save was refused.
func ForeignChange(err error) string {
	var changed *hostfile.ChangedError
	if !errors.As(err, &changed) {
		return ""
	}
	return changed.Diff()
}

// countLines counts the lines of a unified diff that start with sign.
func countLines(diff, sign string) int {
	n := 0
	for line := range DiffBody(diff) {
		if strings.HasPrefix(line, sign) {
			n++
		}
	}
	return n
}

// DiffBody yields the lines of a unified diff without the two that name the
// file. They are as they stand in the file.
func DiffBody(diff string) iter.Seq[string] {
	return func(yield func(string) bool) {
		header := true
		for line := range strings.Lines(diff) {
			if header && (strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ")) {
				continue
			}
			header = false
			if !yield(strings.TrimRight(line, "\r\n")) {
				return
			}
		}
	}
}

// ChangeOf is what r does, for its review to be told; diff is the change of the
// file.
func ChangeOf(t conntrackd.SettingTable, r apply.Review, diff string) Change {
	tense := Future
	if r.Candidate != nil && r.Candidate.Undoes != 0 {
		tense = Back
	}
	return Change{
		Consequence: ConsequenceOf(t, r.Before, r.After(), tense),
		Candidate:   r.Candidate, Diff: diff, Replaces: r.Replaced(), Commands: r.Commands,
		Preparation: r.Preparation, PrepareHost: r.PrepareHost, FirstNode: r.FirstNode,
	}
}
