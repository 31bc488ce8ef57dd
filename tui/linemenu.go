package tui

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"connsync/conntrackd/apply"
	"connsync/plural"
	"connsync/tui/text"
)

// lineChoice is one thing that the menu offers.
type lineChoice struct {
	letter, word, about string
	do                  func(*lineTalk) (stage, error)
}

// lineMenu is the menu, in the order in which it is told.
func lineMenu() []lineChoice {
	operation := func(letter, word, about string, o Operation) lineChoice {
		return lineChoice{letter, word, about, func(t *lineTalk) (stage, error) { return t.operate(o) }}
	}
	return []lineChoice{
		{"s", "status", "the state of the sync in one sentence", func(t *lineTalk) (stage, error) { return t.menu, t.status(false) }},
		{"m", "more", "the same, with the daemon's numbers", func(t *lineTalk) (stage, error) { return t.menu, t.status(true) }},
		operation("r", "resync", "request the peer's states and send this node's", Resync),
		operation("f", "flush", "empty the daemon's caches", Flush),
		operation("t", "restart", "restart conntrackd, then resync", Restart),
		{"h", "history", "the saves that are kept; one can be rolled back", (*lineTalk).history},
		{"c", "change", "the settings, the checks and a save", (*lineTalk).change},
		{"q", "quit", "leave connsync", (*lineTalk).quit},
	}
}

// menu is what can be done when nothing is being asked.
func (t *lineTalk) menu() (stage, error) {
	if t.gated {
		return nil, nil
	}
	answer, err := t.ask("Next (s status, c change, q quit, ? all):")
	if err != nil {
		return nil, err
	}
	if answer == "<" {
		return t.change, nil
	}
	for _, c := range lineMenu() {
		if oneOf(answer, c.letter, c.word) {
			return c.do(t)
		}
	}
	if answer != "" {
		for _, c := range lineMenu() {
			t.out.hang(c.letter+" ", c.word+": "+c.about)
		}
	}
	return t.menu, nil
}

// quit leaves, after a question where something would be lost.
func (t *lineTalk) quit() (stage, error) {
	n := t.lost()
	if n == 0 {
		return nil, nil
	}
	answer, err := t.ask(fmt.Sprintf("Leave without saving? %s would be lost. [y/N]:", plural.Of(n, "change", "changes")))
	switch {
	case err != nil:
		return nil, err
	case oneOf(answer, "y", "yes", "q", "quit"):
		t.out.line("Nothing more was saved.")
		return nil, nil
	}
	return t.menu, nil
}

const (
	typeYesNo  = "Type y or n."
	shownFirst = "The change is shown first."
)

// agreed asks a question that Enter answers with no.
func (t *lineTalk) agreed(question string) (bool, error) {
	for {
		answer, err := t.ask(question + " [y/N]:")
		switch {
		case err != nil:
			return false, err
		case oneOf(answer, "y", "yes"):
			return true, nil
		case oneOf(answer, "", "n", "no", "<"):
			return false, nil
		}
		t.out.line(typeYesNo)
	}
}

// operate has something done to the running daemon, after a question.
func (t *lineTalk) operate(o Operation) (stage, error) {
	for _, l := range offers[o].asks[1:] {
		t.out.say(l)
	}
	sure, err := t.agreed(strings.TrimRight(offers[o].asks[0], "."))
	if err != nil || !sure {
		return t.menu, err
	}
	t.out.line(offers[o].title + " is running.")
	said, err := "", errNoEffect
	if operator := t.env.effects.Operator; operator != nil {
		ctx, cancel := context.WithTimeout(t.ctx, operatePatience)
		said, err = operator.Operate(ctx, o)
		cancel()
	}
	if err != nil {
		t.out.hang(text.Column(text.Fail), offers[o].title+": "+err.Error())
	} else {
		t.out.hang(text.Column(text.OK), offers[o].title+": "+said)
	}
	return t.menu, nil
}

// history lists the saves that are kept, and shows one of them.
func (t *lineTalk) history() (stage, error) {
	entries, err := []apply.Entry(nil), errNoEffect
	if from := t.env.effects.History; from != nil {
		entries, err = from.Entries(t.ctx)
	}
	switch {
	case t.ctx.Err() != nil:
		return nil, t.ctx.Err()
	case err != nil:
		t.out.say(text.NoHistory(err))
		return t.menu, nil
	case len(entries) == 0:
		t.out.line(text.NothingSaved)
		return t.menu, nil
	}
	for _, e := range entries {
		for _, l := range text.EntryLines(e) {
			t.out.line(l)
		}
	}
	for {
		answer, err := t.ask("Save to show (number; Enter goes back):")
		if err != nil {
			return nil, err
		}
		if oneOf(answer, "", "<", "q", "n", "no") {
			return t.menu, nil
		}
		n, _ := strconv.Atoi(answer) // no number is 0, which no save has
		for _, e := range entries {
			if e.Number == n {
				return t.entry(e), nil
			}
		}
		t.out.line("Save " + answer + " is not in the list.")
	}
}

// entry shows what one save changed, and rolls it back if that is wanted.
func (t *lineTalk) entry(e apply.Entry) stage {
	return func() (stage, error) {
		from := t.env.effects.History
		change, err := from.Change(t.ctx, e)
		switch {
		case t.ctx.Err() != nil:
			return nil, t.ctx.Err()
		case err != nil:
			t.out.say(text.NoEntry(err))
			return t.history, nil
		}
		t.out.say(text.EntrySummary(t.env.table, e, change.Before, change.After))
		if change.Diff == "" {
			t.out.line(text.FileStayed)
		}
		t.lines(t.env.diffLines(change.Diff, diffWidth))
		sure, err := t.agreed(fmt.Sprintf("Roll back save %d? ", e.Number) + shownFirst)
		if err != nil || !sure {
			return t.menu, err
		}
		return t.reviewed(newUndo(t.env, e)), nil
	}
}
