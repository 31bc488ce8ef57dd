package tui

import (
	"fmt"
	"iter"
	"strings"
)

// diffLineMax bounds what is looked at of one line of a diff.
const diffLineMax = 2048

func (r *review) resize(width, height int) {
	r.width, r.height = width, height
	r.layOut()
}

// layOut makes the text that can be scrolled.
func (r *review) layOut() {
	r.text = nil
	switch r.state {
	case reviewLoading:
		return
	case reviewFailed:
		r.text = r.failure()
		r.scroll(0)
		return
	}
	if r.review.Unchanged {
		r.text = hang("Nothing to do: these settings are already in force. No file is written and nothing is restarted.", " ", r.width)
		return
	}
	r.text = r.summary()
	if diff := r.env.diffLines(r.diff, r.width); len(diff) > 0 {
		r.text = append(append(r.text, ""), diff...)
	}
	r.scroll(0)
}

// failure says why there is nothing to review. Where someone else has changed
// the file, that change is what to look at.
func (r *review) failure() []string {
	if changed := r.foreign(); changed != nil {
		lines := hang("Someone else has changed "+r.env.shown(changed.Path)+" since the form read it. Read Anew takes that into the form; what you have typed stays.", " ", r.width)
		return append(append(lines, ""), r.env.diffLines(changed.Diff(), r.width)...)
	}
	return hang("The change could not be worked out: "+r.env.shown(r.err.Error()), " ", r.width)
}

// diffLines is the change of the file, line by line, safe to show. The first
// character says what happens to a line.
func (e *env) diffLines(diff string, width int) []string {
	var lines []string
	for line := range diffBody(diff) {
		lines = append(lines, e.diffLine(line, width))
	}
	return lines
}

// diffBody yields the lines of a unified diff without the two that name the
// file.
func diffBody(diff string) iter.Seq[string] {
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

func (e *env) diffLine(raw string, width int) string {
	whole := len(raw) <= diffLineMax
	if !whole {
		raw = raw[:diffLineMax]
	}
	line := " " + e.shown(strings.ReplaceAll(raw, "\t", "    "))
	if !whole {
		line += e.glyphs.Ellipsis
	}
	line = strings.TrimRight(e.fit(line, width), " ")
	switch {
	case strings.HasPrefix(raw, "+"):
		return e.theme.Good.Render(line)
	case strings.HasPrefix(raw, "-"):
		return e.theme.Bad.Render(line)
	}
	return e.theme.Dim.Render(line)
}

// summary is what is to be known before the diff is read.
func (r *review) summary() []string {
	var lines []string
	add := func(first, text string) {
		lines = append(lines, hang(r.env.shown(text), first, r.width)...)
	}
	if c := r.review.Candidate; c != nil && c.Undoes != 0 {
		add(" ", fmt.Sprintf("Takes back save %d.", c.Undoes))
	}
	add(" ", r.fileSentence())
	for _, what := range r.review.replaces() {
		lines = append(lines, r.env.styled(wordWarn, hang(r.env.shown(what), " ! replaces  ", r.width))...)
	}
	first := " runs  "
	for _, command := range r.review.Commands {
		add(first, command)
		first = "       "
	}
	lines = append(lines, r.hostLines()...)
	if r.firstNode {
		add(" note  ", "first node of the pair: the way to the peer was not proven.")
	}
	if r.review.Candidate != nil {
		for _, note := range r.review.Candidate.Notes {
			add(" note  ", note)
		}
	}
	return lines
}

func (r *review) fileSentence() string {
	c := r.review.Candidate
	if c == nil || r.diff == "" {
		return "The file stays as it is."
	}
	if c.New == nil {
		return fmt.Sprintf("Removes %s, %d lines; it did not exist before that save.", c.Path, countLines(r.diff, "-"))
	}
	if c.Old == nil {
		return fmt.Sprintf("Creates %s, %d lines.", c.Path, countLines(r.diff, "+"))
	}
	return fmt.Sprintf("Changes %s: %d lines added, %d taken out.", c.Path, countLines(r.diff, "+"), countLines(r.diff, "-"))
}

// countLines counts the lines of a unified diff that start with sign.
func countLines(diff string, sign string) int {
	n := 0
	for line := range diffBody(diff) {
		if strings.HasPrefix(line, sign) {
			n++
		}
	}
	return n
}

// footer is what stays in sight: what has to be agreed to, and the buttons.
func (r *review) footer() []string {
	var lines []string
	var labels []string
	focus := -1
	for _, item := range r.items() {
		if item == itemAgree {
			lines = append(lines, r.agreement()...)
			continue
		}
		if item == itemHost {
			lines = append(lines, r.hostDecision()...)
			continue
		}
		if item == r.focus {
			focus = len(labels)
		}
		labels = append(labels, itemLabel(item))
	}
	if len(labels) > 0 {
		row, _ := buttonRow(labels, focus, r.width, r.env.glyphs)
		lines = append(lines, row)
	}
	return lines
}

func (r *review) agreement() []string {
	box := "[ ] a  "
	if r.agreed {
		box = "[x] a  "
	}
	lines := hang(agreeText, " "+r.env.mark(r.focus == itemAgree)+box, r.width)
	if why := r.blocked(); why != "" && r.focus == itemApply && !r.agreed {
		lines = append(lines, "   "+why)
	}
	return lines
}

func itemLabel(item reviewItem) string {
	switch item {
	case itemApply:
		return "Apply"
	case itemStatus:
		return "Status"
	case itemRetry:
		return "Try Again"
	case itemReread:
		return "Read Anew"
	}
	return "Back"
}

// textHeight is how many lines of the text are in sight; one line beneath
// says how many are not.
func (r *review) textHeight() int { return max(r.height-1-len(r.footer()), 1) }

func (r *review) view() string {
	var lines []string
	height := r.textHeight()
	switch r.state {
	case reviewLoading:
		lines = []string{" Working out the change. Nothing has happened yet."}
	case reviewFailed:
		lines = window(r.text, r.top, height)
	case reviewReady:
		lines = window(r.text, r.top, height)
	}
	lines = append(lines, r.env.theme.Dim.Render(more(r.top, len(r.text), height)))
	return strings.Join(append(lines, r.footer()...), "\n")
}

// cursor stands on what has the focus.
func (r *review) cursor() (x, y int, ok bool) {
	items := r.items()
	if len(items) == 0 {
		return 0, 0, false
	}
	switch {
	case r.focus == itemAgree:
		return 4, r.textHeight() + 1, true
	case r.focus == itemHost && len(r.review.replaces()) > 0:
		return 4, r.textHeight() + 1 + len(r.agreement()), true
	case r.focus == itemHost:
		return 4, r.textHeight() + 1, true
	}
	var labels []string
	focus := 0
	for _, item := range items {
		if item == itemAgree || item == itemHost {
			continue
		}
		if item == r.focus {
			focus = len(labels)
		}
		labels = append(labels, itemLabel(item))
	}
	_, x = buttonRow(labels, focus, r.width, r.env.glyphs)
	return x, r.textHeight() + len(r.footer()), true
}
