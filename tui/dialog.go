package tui

import (
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// dialogGrace is how long a dialog that opened by itself leaves the keys to
// the screen below: what was typed ahead was not meant as an answer.
const dialogGrace = 700 * time.Millisecond

// answer is one way to answer a dialog. msg goes to the root and from there to
// every open screen; nil only closes the dialog.
type answer struct {
	label string
	key   string // a letter that chooses it at once
	msg   tea.Msg
}

// dialog is a question that stands below the screen that it is about.
type dialog struct {
	text    []string // sentences; wrapped to the width
	answers []answer
	focus   int  // the answer that enter gives; also where it starts
	escape  int  // the answer that esc gives
	sudden  bool // it opened by itself, not on a key
	deaf    bool
	run     int
}

// dialogWoke ends the grace period of the dialog with that run number.
type dialogWoke struct{ run int }

var dialogKeys = struct{ next, prev, give, escape key.Binding }{
	next:   key.NewBinding(key.WithKeys("tab", "right", "down", "space"), key.WithHelp("tab", "other")),
	prev:   key.NewBinding(key.WithKeys("shift+tab", "left", "up")),
	give:   key.NewBinding(key.WithKeys("enter", "ctrl+j"), key.WithHelp("enter", "answer")),
	escape: key.NewBinding(key.WithKeys("esc"), key.WithHelp("esc", "back")),
}

// open starts the grace period where there is one.
func (d *dialog) open(run int) tea.Cmd {
	d.run = run
	if !d.sudden {
		return nil
	}
	d.deaf = true
	return tea.Tick(dialogGrace, func(time.Time) tea.Msg { return dialogWoke{run} })
}

// press handles a key; it returns the answer, or nil while there is none.
func (d *dialog) press(k tea.KeyPressMsg) *answer {
	n := len(d.answers)
	switch {
	case key.Matches(k, dialogKeys.next):
		d.focus = (d.focus + 1) % n
	case key.Matches(k, dialogKeys.prev):
		d.focus = (d.focus + n - 1) % n
	case key.Matches(k, dialogKeys.give):
		return &d.answers[d.focus]
	case key.Matches(k, dialogKeys.escape):
		return &d.answers[d.escape]
	default:
		for i := range d.answers {
			if d.answers[i].key != "" && k.String() == d.answers[i].key {
				return &d.answers[i]
			}
		}
	}
	return nil
}

func (d *dialog) help() []key.Binding {
	return []key.Binding{dialogKeys.give, dialogKeys.next, dialogKeys.escape}
}

// lines draws the dialog and says where the cursor is in it.
func (d *dialog) lines(width int, e *env) (lines []string, x, y int) {
	for _, t := range d.text {
		for _, l := range wrap(t, width-4) {
			lines = append(lines, "   "+l)
		}
	}
	lines = append(lines, "")
	labels := make([]string, len(d.answers))
	for i, a := range d.answers {
		labels[i] = a.label
	}
	row, x := e.buttonRow(labels, d.focus, width)
	return append(lines, row), x, len(lines)
}

// buttonRow draws buttons beside each other with the mark before the one that
// has the focus (none when focus is negative), and returns the column of its
// first letter. Where they do not fit they stand closer.
func (e *env) buttonRow(labels []string, focus, width int) (string, int) {
	need := 0
	for _, l := range labels {
		need += len(l) + 7
	}
	gap := 2
	if need > width {
		gap = 0
	}
	var b strings.Builder
	x := 0
	for i, l := range labels {
		pad := strings.Repeat(" ", gap/2)
		mark, button := " ", "[ "+l+" ]"
		if i == focus {
			x = gap + 3 + i*(gap+5) + sum(labels[:i])
			mark = e.glyphs.Mark
			if e.theme.Bar {
				button = e.theme.Focus.Render(button)
			} else {
				mark = e.theme.Focus.Render(mark)
			}
		}
		b.WriteString(pad + mark + pad + button)
	}
	return b.String(), x
}

func sum(labels []string) int {
	n := 0
	for _, l := range labels {
		n += len(l)
	}
	return n
}
