package tui

import (
	"errors"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/hostfile"
)

// toMenu leads past the questions to the menu.
func toMenu(lines ...string) []string { return append([]string{"<"}, lines...) }

// TestLineMenu compares what the menu leads to with files; -update writes those.
func TestLineMenu(t *testing.T) {
	changed := &hostfile.ChangedError{Path: "/etc/conntrackd/conntrackd.conf", Read: []byte(oldFile), Now: []byte(newFile())}
	history := func(o *LineOptions) {
		saved(o)
		h := historyEffects().History.(fakeHistory)
		o.Effects.History = h
	}
	for _, tc := range []struct {
		name   string
		change func(*LineOptions)
		lines  []string
		err    error
	}{
		{name: "all", lines: toMenu("", "?", "x", "q")},
		{name: "operations", change: with(func(e *Effects) { e.Operator = &fakeOperator{} }),
			lines: toMenu("r", "y", "flush", "YES", "t", "", "restart", "maybe", "y", "q")},
		{name: "operation-failed", change: with(func(e *Effects) { e.Operator = &fakeOperator{err: errors.New("the daemon does not answer")} }),
			lines: toMenu("r", "y", "q")},
		{name: "no-operator", lines: toMenu("r", "y", "h", "q")},
		{name: "history", change: history, lines: toMenu("h", "?", "99", "", "history", "9", "n", "h", "8", "y", "<", "q", "h", "8", "y", "y", "q")},
		{name: "history-empty", change: with(func(e *Effects) { e.History = fakeHistory{} }), lines: toMenu("h", "q")},
		{name: "history-unreadable", change: with(func(e *Effects) {
			e.History = fakeHistory{err: errors.New("read /var/lib/connsync: permission denied")}
		}),
			lines: toMenu("h", "q")},
		{name: "changed-by-someone", change: func(o *LineOptions) {
			saved(o)
			theirs := savedSettings()
			theirs.Port = 3999
			o.Effects.Reviewer = fakeReviewer{err: changed, saved: theirs}
		}, lines: []string{"", "", "", "", "", "128K", ".", "q", "y"}},
		{name: "not-read-again", change: func(o *LineOptions) {
			saved(o)
			o.Effects.Reviewer = fakeReviewer{err: changed, rereadErr: errors.New("no such file")}
		}, lines: []string{".", "q"}},
		{name: "changed-while-applying", change: with(func(e *Effects) { e.Applier = &fakeApplier{outcome: apply.Outcome{Err: changed}} }),
			lines: append(append([]string{}, wholeJob...), "q", "y"), err: ErrUnfinished},
		{name: "notice", change: func(o *LineOptions) { o.Notice = "A save was interrupted; the old file is back." }, lines: toMenu("q")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			paper, err := dialogue(t, tc.change, tc.lines...)
			if !errors.Is(err, tc.err) || tc.err == nil && err != nil {
				t.Errorf("ended with %v, want %v", err, tc.err)
			}
			golden.RequireEqual(t, paper)
		})
	}
}

// Nothing is done to the daemon, and no save is rolled back, without a yes.
func TestLineOperatesOnlyAfterAYes(t *testing.T) {
	f := &fakeOperator{}
	lines := toMenu("r", "", "f", "n", "t", "<", "r", "x", "no", "f", "y", "q")
	if _, err := dialogue(t, with(func(e *Effects) { e.Operator = f }), lines...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Operation{Flush}, f.done); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}

	var asked []int
	a := &countedApplier{Applier: &fakeApplier{steps: savedSteps()}}
	h := historyEffects().History.(fakeHistory)
	h.asked = &asked
	change := func(e *Effects) { e.History, e.Applier = h, a }
	if _, err := dialogue(t, with(change), toMenu("h", "8", "", "h", "9", "y", "n", "q")...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{9}, asked); diff != "" || a.times != 0 {
		t.Errorf("applied %d times; reviewed (-want +got):\n%s", a.times, diff)
	}
	if _, err := dialogue(t, with(change), toMenu("h", "8", "y", "y", "q")...); err != nil {
		t.Fatal(err)
	}
	if a.times != 1 || a.given[0].Candidate.Undoes == 0 {
		t.Errorf("applied %d times, %+v", a.times, a.given)
	}
}

// Every choice of the menu has a letter of its own, and is told.
func TestLineMenuIsUnambiguous(t *testing.T) {
	seen := map[string]bool{}
	paper, _ := dialogue(t, nil, toMenu("?", "q")...)
	for _, c := range lineMenu() {
		if seen[c.letter] || seen[c.word] {
			t.Errorf("%s or %s is there twice", c.letter, c.word)
		}
		seen[c.letter], seen[c.word] = true, true
		if !strings.Contains(paper, c.letter+" "+c.word+": "+c.about+"\n") {
			t.Errorf("%s is not told:\n%s", c.word, paper)
		}
	}
}

// A line of the change is told to its end, however long: it is folded.
func TestLineModeTellsAChangeWhole(t *testing.T) {
	review := changedReview()
	old := append([]byte("# "+strings.Repeat("10.0.0.7 ", 100)+"the end\n"), review.Candidate.Old...)
	review.Candidate.Old = old
	paper, err := dialogue(t, with(func(e *Effects) { e.Reviewer = fakeReviewer{review: review} }), append(append([]string{}, wholeJob[:8]...), "n", "q", "y")...)
	if err != nil {
		t.Error(err)
	}
	if got := strings.Count(paper, "10.0.0.7 "); got < 98 || !strings.Contains(paper, "the end\n") {
		t.Errorf("%d of 100 addresses:\n%s", got, paper)
	}
}
