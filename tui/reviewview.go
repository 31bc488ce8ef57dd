package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/tui/text"
)

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
		r.text = hang(text.NothingToSave(r.settings)+" "+text.AppliesNothing, " ", r.width)
		return
	}
	r.text = r.summary()
	if diff := r.env.diffLines(r.diff, r.width); len(diff) > 0 {
		r.text = append(append(r.text, ""), diff...)
	}
	r.scroll(0)
}

const nothingYet = "nothing has happened yet"

// failure says why no change can be reviewed. Where someone else has changed
// the file, that change is what to look at.
func (r *review) failure() []string {
	if changed := r.foreign(); changed != nil {
		lines := hang(r.env.fitting(text.ForeignRefusal(changed.Path)), " ", r.width)
		return append(append(lines, ""), r.env.diffLines(changed.Diff(), r.width)...)
	}
	return hang(r.env.fitting(text.NoReview(r.err)), " ", r.width)
}

// diffLines is the change of the file, line by line, safe to show. The first
// character says what happens to a line. What changes is shown whole, on several rows where it
// is longer than one.
func (e *env) diffLines(diff string, width int) []string {
	var lines []string
	for raw := range text.DiffBody(diff) {
		line, style := e.diffLine(raw), e.theme.Dim
		rows := []string{e.fit(line, width)}
		switch {
		case strings.HasPrefix(raw, "+"):
			rows, style = e.folded(line, width), e.theme.Good
		case strings.HasPrefix(raw, "-"):
			rows, style = e.folded(line, width), e.theme.Bad
		}
		for _, row := range rows {
			lines = append(lines, style.Render(strings.TrimRight(row, " ")))
		}
	}
	return lines
}

func (e *env) diffLine(raw string) string {
	return " " + e.fitting(text.DiffLine(raw, e.glyphs.Ellipsis))
}

// folded is a line of a diff on as many rows as it takes. Each begins with the sign of the line,
// and a mark stands where it is folded, at the end of a row and at the beginning of the next.
func (e *env) folded(line string, width int) []string {
	const sign = 2 // the margin and what happens to the line
	var rows []string
	for width > sign+2*ansi.StringWidth(e.glyphs.Ellipsis)+1 && ansi.StringWidth(line) > width {
		row := e.fit(line, width)
		rows = append(rows, row)
		line = line[:sign] + e.glyphs.Ellipsis + line[len(row)-len(e.glyphs.Ellipsis):]
	}
	return append(rows, e.fit(line, width))
}

// summary is what is to be known before the diff is read.
func (r *review) summary() []string {
	return r.env.rows(text.WithWarnings(r.change().Rows(), r.warnings), r.width)
}

// hostLines is what a save does about the host, beside the file, and what it
// leaves alone there.
func (r *review) hostLines() []string {
	return r.env.rows(r.change().HostRows(), r.width)
}

func (r *review) change() text.Change { return text.ChangeOf(r.env.table, r.review, r.diff) }

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
	lines = append(lines, r.hookLines()...)
	if len(labels) > 0 {
		row, _ := r.env.buttonRow(labels, focus, r.width)
		lines = append(lines, row)
	}
	return lines
}

func (r *review) agreement() []string {
	box := "[ ] a  "
	if r.agreed {
		box = "[x] a  "
	}
	focus := r.focus == itemAgree
	lines := r.env.focused(focus, r.width, hang(text.Agree, " "+r.env.mark(focus)+box, r.width)...)
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
		return "Reload File"
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
		lines = []string{" " + r.work.sign("") + text.Join(", ", "Working out the change", r.work.took()) + ". " + text.Capital(nothingYet) + "."}
	case reviewFailed:
		lines = window(r.text, r.top, height)
	case reviewReady:
		lines = window(r.text, r.top, height)
	}
	below := more(r.top, len(r.text), height)
	if r.grace.ignored {
		below = r.env.fit(graceText, r.width)
	}
	lines = append(lines, r.env.theme.Dim.Render(below))
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
	case r.focus == itemHost && len(r.review.Replaced()) > 0:
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
	_, x = r.env.buttonRow(labels, focus, r.width)
	return x, r.textHeight() + len(r.footer()), true
}
