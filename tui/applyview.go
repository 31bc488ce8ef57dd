package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
	"connsync/tui/text"
)

func (a *saving) resize(width, height int) {
	a.width, a.height = width, height
	a.follow()
}

// stepTitleWidth is the column of the titles, the same for every apply, so
// that a new step moves no other. A longer title pushes its own detail aside.
const stepTitleWidth = 28

// text is the steps and, once it has ended, what to do at the other node.
func (a *saving) text() []string {
	var lines []string
	for _, s := range a.steps {
		lines = append(lines, a.step(s)...)
	}
	if foreign := text.ForeignChange(a.outcome.Err); a.ended && foreign != "" {
		lines = append(lines, "", " "+text.ForeignMeanwhile)
		lines = append(lines, a.env.diffLines(foreign, a.width)...)
	}
	if a.tellsPeer() {
		lines = append(append(lines, ""), peerLines(a.env, a.settings, a.width, a.review.Candidate.OldSettings()...)...)
	}
	return lines
}

// step is a step on one line where it fits, else with its detail beneath.
// The daemon may have said several lines.
func (a *saving) step(s step.Step) []string {
	room := a.width - 1 - text.WordWidth - 2
	name := a.env.fit(a.env.shown(s.Title), room)
	if w := ansi.StringWidth(name); w < stepTitleWidth && stepTitleWidth < room {
		name = pad(name, stepTitleWidth)
	}
	head := " " + a.env.word(text.StepWord(s.Status)) + name
	details, took := a.details(s.Detail), text.Took(s.Took)
	if s.Status == step.Running {
		took = text.Join(" ", a.work.sign(""), a.work.took())
	}
	beside := text.Join("  ", text.Join(" ", details...), took)
	if len(details) <= 1 && ansi.StringWidth(name)+2+ansi.StringWidth(beside) <= room {
		return []string{strings.TrimRight(head+"  "+beside, " ")}
	}
	if ansi.StringWidth(name)+2+len(took) <= room {
		head += "  " + took
	}
	lines := []string{strings.TrimRight(head, " ")}
	indent := strings.Repeat(" ", min(1+text.WordWidth+2, a.width/5))
	for _, d := range details {
		lines = append(lines, hang(d, indent, a.width)...)
	}
	return lines
}

// details are the lines of a detail, each safe to show.
func (a *saving) details(detail string) []string {
	var lines []string
	for line := range strings.Lines(detail) {
		if line = a.env.shown(strings.TrimRight(line, "\r\n")); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
		if len(lines) == maxDetailLines {
			break
		}
	}
	return lines
}

// maxDetailLines bounds what a step may say.
const maxDetailLines = 20

// peerLines is what to type at the other node, broken where a shell lets it; before are
// the settings that a save has replaced. No line is longer than what can be shown of one.
func peerLines(e *env, s conntrackd.Settings, width int, before ...conntrackd.Settings) []string {
	lines := hang(text.PeerIntro, " ", width)
	for _, l := range text.PeerCommandLines(e.table, s, min(width, text.CleanMax), before...) {
		lines = append(lines, e.fitting(l))
	}
	return append(lines, hang(text.PeerCheck(e.table, s), " ", width)...)
}

// footer is how it ended and where to go, or what ctrl+c would do.
func (a *saving) footer() []string {
	if !a.ended {
		return hang(text.Underway(a.steps, a.stopping), " ", a.width)
	}
	sentence, told := a.verdict()
	lines := hang(sentence, " ", a.width)
	if told.Why != "" {
		lines = append(lines, hang(a.env.fitting(told.Why), " ", a.width)...)
	}
	lines = a.env.styled(told.Word, lines)
	if a.worse() {
		lines = append(lines, hang(text.WorseThan(a.before), " ", a.width)...)
	}
	row, _ := a.buttonRow()
	return append(lines, row)
}

func (a *saving) buttonRow() (string, int) {
	var labels []string
	for _, b := range a.buttons() {
		labels = append(labels, b.label())
	}
	return a.env.buttonRow(labels, a.focus, a.width)
}

// verdict is how it ended in a sentence or two, and all there is to say of it.
// What could not be read says nothing about the sync.
func (a *saving) verdict() (sentence string, told text.Outcome) {
	told = text.OutcomeOf(a.outcome, a.steps, a.sync())
	switch {
	case a.outcome.Unseen():
		return told.Sentence, told
	case a.wait.begun() && a.review.FirstNode:
		return a.waited(), told
	}
	return text.Join(" ", told.Sentence, told.Sync), told
}

// waited is how the wait for the peer of a first node stands.
func (a *saving) waited() string {
	peer := a.settings.Peer.Addr().String()
	if a.outcome.Verdict == health.VerdictTwoWay {
		return "Step 2 of 2 done: in sync both ways with " + peer + "."
	}
	said := "Step 1 of 2 done. Waiting for " + peer + " (" + a.wait.took() + ")."
	if v := a.outcome.Verdict; v.BothWays() || v == health.VerdictReceivingOnly || v == health.VerdictMismatch {
		said = text.Join(" ", text.StatusSentence(v), a.env.fitting(text.Clean(a.wait.cause)))
	}
	return said
}

func (a *saving) textHeight() int { return max(a.height-1-len(a.footer()), 1) }

// tellsPeer reports whether there is something to type at the other node.
func (a *saving) tellsPeer() bool {
	return a.ended && a.outcome.Err == nil && text.PeerTakes(a.env.table, a.settings)
}

// follow keeps the newest step in sight, until the operator scrolls. At the
// end the first failure is what to see, or what to type at the other node.
func (a *saving) follow() {
	if a.scrolled {
		a.scroll(0)
		return
	}
	total := len(a.text())
	a.top = clampTop(total, total, a.textHeight())
	if !a.ended {
		return
	}
	line := 0
	for _, s := range a.steps {
		if s.Status == step.Failed && a.outcome.Err != nil {
			a.top = min(a.top, line)
			return
		}
		line += len(a.step(s))
	}
	if a.tellsPeer() {
		a.top = min(a.top, line+1)
	}
}

func (a *saving) scroll(by int) {
	a.scrolled = a.scrolled || by != 0
	a.top = clampTop(max(a.top+by, 0), len(a.text()), a.textHeight())
}

func (a *saving) view() string {
	text, height := a.text(), a.textHeight()
	lines := window(text, a.top, height)
	below := more(a.top, len(text), height)
	if a.grace.ignored {
		below = a.env.fit(graceText, a.width)
	}
	lines = append(lines, a.env.theme.Dim.Render(below))
	return strings.Join(append(lines, a.footer()...), "\n")
}

// cursor stands on the button with the focus.
func (a *saving) cursor() (x, y int, ok bool) {
	if !a.ended {
		return 0, 0, false
	}
	_, x = a.buttonRow()
	return x, a.textHeight() + len(a.footer()), true
}
