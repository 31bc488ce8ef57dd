package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"text/tabwriter"
)

// metric is a line of the table.
type metric struct {
	name   string
	target int // the most that connsync may send; none where it is negative
	note   string
}

const (
	firstFrame = iota
	firstLeast
	character
	backspace
	focusMove
	focusHint
	errorOn
	errorOff
	linkAppears
	linkLeast
	linkGoes
	pickerOpen
	advancedOpen
	advancedLeast
	advancedMove
	advancedHint
	advancedChoice
	statusRefresh
	idleMinute
	exit
	heldKnown
	heldUnknown
	echo
	lostKeys
	metricCount
)

func metrics() [metricCount]metric {
	return [metricCount]metric{
		firstFrame:     {"first frame", 900, "at most 900"},
		firstLeast:     {"  its computed minimum", -1, "first frame at most 1.2 times this"},
		character:      {"typed character", 1, "1"},
		backspace:      {"backspace", 3, "3"},
		focusMove:      {"focus move, beside the help text", 24, "at most 24"},
		focusHint:      {"  the help text's minimum", -1, ""},
		errorOn:        {"error appears, with the next hint", -1, ""},
		errorOff:       {"error goes with the key that cures it", -1, ""},
		linkAppears:    {"the link, as it is now, appears", 260, "at most 260, after a pause"},
		linkLeast:      {"  its computed minimum", -1, ""},
		linkGoes:       {"  goes with the key that changes it", 60, "at most 60, once"},
		pickerOpen:     {"picker opens", -1, ""},
		advancedOpen:   {"advanced page opens", 960, "at most 960"},
		advancedLeast:  {"  its computed minimum", -1, "the page at most 1.2 times this"},
		advancedMove:   {"  focus move, beside the help text", 28, "at most 28"},
		advancedHint:   {"  the help text's minimum", -1, ""},
		advancedChoice: {"  a choice changes", 56, "at most 56"},
		statusRefresh:  {"status refresh, numbers change", 24, "at most 24 a second"},
		idleMinute:     {"idle minute", 0, "0"},
		exit:           {"exit", 16, "at most 16"},
		heldKnown:      {"ms until right, Tab held, 960 B/s", 500, "at most 500"},
		heldUnknown:    {"  where the line hides its speed", 500, "at most 500"},
		echo:           {"ms to an echo, 5 keys/s, 960 B/s", 60, "at most 60"},
		lostKeys:       {"  keys lost", 0, "0"},
	}
}

// result is what was measured of one program; a metric that it does not have
// is not in values.
type result struct {
	values map[int]int
	err    error
}

// add takes what was measured in another round.
func (r *result) add(other result) {
	r.err = errors.Join(r.err, other.err)
	if r.err == nil {
		maps.Copy(r.values, other.values)
	}
}

// printTable prints what was measured at one terminal and returns how many of
// connsync's targets, the first program's, were missed.
func printTable(w io.Writer, t terminal, programs []program, results []result) (missed int) {
	fmt.Fprintf(w, "\nTERM=%s\n", t.name)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, " ")
	for _, p := range programs {
		fmt.Fprintf(tw, "\t%s", p.name)
	}
	fmt.Fprintln(tw, "\ttarget for connsync")
	for i, m := range metrics() {
		fmt.Fprint(tw, m.name)
		for _, r := range results {
			if n, ok := r.values[i]; ok {
				fmt.Fprintf(tw, "\t%d", n)
			} else {
				fmt.Fprint(tw, "\t-")
			}
		}
		verdict := ""
		if t.serial {
			verdict = m.note
			got := results[0].values
			over := m.target >= 0 && got[i] > m.target || i == firstLeast && got[firstFrame]*10 > got[firstLeast]*12 ||
				i == advancedLeast && got[advancedOpen]*10 > got[advancedLeast]*12
			if _, measured := got[i]; !measured || over {
				verdict += "  MISSED"
				missed++
			}
		}
		fmt.Fprintf(tw, "\t%s\n", verdict)
	}
	_ = tw.Flush() // to a terminal or a file; there is nobody else to tell
	return missed
}
