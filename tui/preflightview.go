package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/netcheck/check"
	"connsync/tui/text"
)

func (p *preflight) resize(width, height int) {
	p.width, p.height = width, height
	p.reveal()
}

func (p *preflight) view() string {
	var lines []string
	if p.headed() {
		lines = append(lines, p.env.fit(" "+p.env.pair(p.settings), p.width))
	}
	list, footer := p.list(), p.footer()
	height := p.listHeight()
	top := clampTop(p.top, len(list), height)
	lines = append(lines, window(list, top, height)...)
	below := more(top, len(list), height)
	if p.grace.ignored {
		below = p.env.fit(graceText, p.width)
	}
	lines = append(lines, p.env.theme.Dim.Render(below))
	lines = append(lines, footer...)
	return strings.Join(lines, "\n")
}

// headed reports whether there is room to say what is being checked.
func (p *preflight) headed() bool { return p.height >= 12 }

// listHeight is how many lines of the list are in sight.
func (p *preflight) listHeight() int {
	height := p.height - 1 - len(p.footer())
	if p.headed() {
		height--
	}
	return max(height, 1)
}

// list is all lines of the list; the selected result is followed by what did
// not fit on its line.
func (p *preflight) list() []string {
	var lines []string
	title := p.titleWidth()
	rows := p.rows()
	for i, r := range rows {
		lines = append(lines, p.env.focused(i == p.selected, p.width, p.line(r, i == p.selected, title))...)
		if i == p.selected {
			lines = append(lines, p.detail(r, title)...)
		}
	}
	if folded := len(p.results) - len(rows); folded > 0 {
		_, rest := text.ProblemsFirst(p.results)
		lines = append(lines, p.env.mark(false)+p.env.word(text.OK)+p.env.fit(text.Folded(rest)+"  (a shows them)", p.width-4-text.WordWidth))
	}
	return lines
}

// titleWidth is the width of the column of titles. It follows from the plan
// alone, so that no result moves it. A title is cut only where it leaves no room.
func (p *preflight) titleWidth() int {
	width := 0
	for _, r := range p.results {
		width = max(width, ansi.StringWidth(p.env.shown(r.Title)))
	}
	return min(width, max(p.width-text.WordWidth-4, 8))
}

// line is one check on one line.
func (p *preflight) line(r check.Result, focused bool, title int) string {
	word := text.CheckWord(r)
	if p.state == preflightStopped && r.Status == check.Pending {
		word = "-"
	}
	name := p.env.fit(p.env.shown(r.Title), title)
	line := p.env.mark(focused) + p.env.word(word)
	finding := p.beside(r, focused, title)
	if finding == "" {
		return line + p.faint(r, name)
	}
	return line + pad(name, title) + "  " + finding
}

// beside is the finding as far as it stands on the line of its check. What was
// skipped hangs on a check that says more, and says why when it is selected.
func (p *preflight) beside(r check.Result, focused bool, title int) string {
	rest := p.findingWidth(title)
	finding := p.env.shown(r.Detail)
	if rest < 12 || r.Status == check.Skipped || focused && ansi.StringWidth(finding) > rest {
		return ""
	}
	return p.env.fit(finding, rest)
}

// faint dims what was not run: its cause is shown elsewhere.
func (p *preflight) faint(r check.Result, s string) string {
	if r.Status == check.Skipped {
		return p.env.theme.Dim.Render(s)
	}
	return s
}

// findingWidth is the room for the finding on a check's line.
func (p *preflight) findingWidth(title int) int {
	return p.width - 2 - text.WordWidth - 2 - title - 2
}

// detail is what the line of the selected result could not say.
func (p *preflight) detail(r check.Result, title int) []string {
	var lines []string
	indent := strings.Repeat(" ", min(2+text.WordWidth+2, p.width/4))
	if finding := p.env.shown(r.Detail); finding != "" && p.beside(r, true, title) == "" {
		lines = append(lines, hang(finding, indent, p.width)...)
	}
	if remedy := p.env.shown(r.Remedy); remedy != "" {
		lines = append(lines, hang(remedy, indent+p.env.glyphs.Arrow+" ", p.width)...)
	}
	return lines
}

// footer is the verdict and what is possible now.
func (p *preflight) footer() []string {
	roomy := p.width >= 60
	switch {
	case p.state == preflightRunning:
		return []string{" " + p.work.sign("") + text.Join(", ", "Checking", p.work.took()) + ". Esc stops."}
	case p.state == preflightStopped:
		return []string{" Stopped. r checks again."}
	}
	told := text.ChecksOf(p.report())
	sentence := told.Sentence
	if p.passable() && roomy {
		sentence += " Enter goes on to the review."
	}
	var lines []string
	if m, ok := p.mendable(); ok {
		on := m.With == check.MendHost && !p.leavesHost || m.With == check.MendFirewall && p.firewall
		lines = p.choice(on, "i", m.Says)
	}
	lines = append(lines, p.env.styled(told.Word, hang(sentence, " ", p.width))...)
	switch {
	case p.offersFirstNode() && roomy:
		lines = append(lines, p.choice(p.firstNode, "f", text.FirstNode)...)
		lines = append(lines, hang(text.FirstNodeFollows, "        ", p.width)...)
	case p.offersFirstNode():
		lines = append(lines, p.choice(p.firstNode, "f", text.FirstNodeShort)...)
		if p.firstNode {
			lines = append(lines, hang(text.FirstNodeFollowsShort, " ", p.width)...)
		}
	case p.offersUnknown():
		lines = append(lines, p.choice(p.takesUnknown, "y", text.GoOnUnknown)...)
	}
	return lines
}

// choice is something that the operator has to say explicitly.
func (p *preflight) choice(on bool, letter, text string) []string {
	box := " [ ] "
	if on {
		box = " [x] "
	}
	return hang(text, box+letter+"  ", p.width)
}

// move goes one check up or down. Inside a detail that is taller than the
// window it goes one line instead.
func (p *preflight) move(by int) {
	p.moved = true
	from, to := p.block()
	height := p.listHeight()
	switch {
	case by > 0 && to > p.top+height:
		p.top++
		return
	case by < 0 && from < p.top:
		p.top--
		return
	}
	p.jump(p.selected + by)
}

// jump selects a check.
func (p *preflight) jump(to int) {
	p.moved = true
	p.selected = max(0, min(to, len(p.rows())-1))
	p.reveal()
}

// block is where the selected result stands in the list.
func (p *preflight) block() (from, to int) {
	rows := p.rows()
	if p.selected >= len(rows) {
		return 0, 0
	}
	return p.selected, p.selected + 1 + len(p.detail(rows[p.selected], p.titleWidth()))
}

// reveal scrolls as little as it takes to show the selected result.
func (p *preflight) reveal() {
	from, to := p.block()
	height := p.listHeight()
	if to > p.top+height {
		p.top = to - height
	}
	if from < p.top {
		p.top = from
	}
	p.top = clampTop(p.top, len(p.list()), height)
}

// cursor stands on the selected check.
func (p *preflight) cursor() (x, y int, ok bool) {
	from, _ := p.block()
	y = from - p.top
	if p.headed() {
		y++
	}
	return 0, y, len(p.rows()) > 0 && from >= p.top
}
