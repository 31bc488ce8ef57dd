package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/tui/text"
)

// drawn is a page as lines, with the cursor in them.
type drawn struct {
	lines []string
	x, y  int
}

func (d *drawn) add(lines ...string) { d.lines = append(d.lines, lines...) }

func (s *setup) view() string {
	if s.gate != "" {
		return s.form.view()
	}
	return strings.Join(s.draw().lines, "\n")
}

func (s *setup) cursor() (x, y int, ok bool) {
	if s.gate != "" {
		return s.form.cursor()
	}
	d := s.draw()
	return d.x, d.y, true
}

func (s *setup) draw() drawn {
	d := drawn{lines: s.head()}
	switch s.page().kind {
	case applicationPage:
		s.drawApplication(&d)
	case peerLinePage:
		s.drawLine(&d)
	case fieldPage:
		s.drawField(&d)
	case lastPage:
		s.drawLast(&d)
	}
	return d
}

// tight says that there is no room but for the question itself.
func (s *setup) tight() bool { return s.layout.height < 16 }

// head says where in the setup this is, and how long it waits for a key. It
// never changes by itself: an idle screen sends nothing.
func (s *setup) head() []string {
	said := fmt.Sprintf("Question %d of %d.", s.at+1, len(s.pages)-1)
	switch {
	case s.page().kind == lastPage && s.tight():
		return nil
	case s.done:
		said = "Connection sync is set up on this node."
	case s.page().kind == lastPage:
		said = "Review your answers."
	}
	if p := s.options.Patience; p > 0 && !s.done && !s.tight() {
		said += " " + text.BootGoesOn("a key", p)
	}
	lines := []string{" " + s.env.fit(said, s.layout.width-2)}
	if !s.tight() {
		lines = append(lines, "")
	}
	return lines
}

// rest adds prose as far as there is room.
func (s *setup) rest(d *drawn, style func(...string) string, texts ...string) {
	for _, text := range texts {
		if text == "" {
			continue
		}
		for _, l := range wrap(text, s.layout.width-4) {
			if len(d.lines) >= s.layout.height {
				return
			}
			d.add("   " + style(l))
		}
	}
}

func plainStyle(parts ...string) string { return strings.Join(parts, "") }

func (s *setup) drawApplication(d *drawn) {
	d.add("   "+applicationAsks, "")
	if s.tight() {
		d.lines = d.lines[:len(d.lines)-1]
	}
	g := s.env.glyphs
	for i := range len(applications()) + 1 {
		on, name := g.Off, noApplication
		if i < len(applications()) {
			name = pad(applications()[i], 6) + applicationNames[i]
		}
		mark := " "
		if i == s.choice {
			on, mark = g.On, g.Mark
			d.x, d.y = 4, len(d.lines)
		}
		d.add(s.env.focused(i == s.choice, s.layout.width, s.env.fit(" "+mark+" "+on+" "+name, s.layout.width-1))...)
	}
	if !s.tight() {
		d.add("")
	}
	s.rest(d, s.env.theme.Bad.Render, s.env.shown(s.problem))
	s.rest(d, plainStyle, applicationHint)
}

// lineRows is how many rows of the other node's line are in sight, the last
// ones.
const lineRows = 4

func (s *setup) drawLine(d *drawn) {
	d.add("   " + s.env.fit(peerLineAsks, s.layout.width-4))
	room := max(s.layout.width-6, 8)
	var rows []string
	for _, l := range strings.Split(string(s.typed), "\n") {
		l = s.env.shown(l)
		for len(l) > room {
			rows, l = append(rows, l[:room]), l[room:]
		}
		rows = append(rows, l)
	}
	rows = rows[max(0, len(rows)-lineRows):]
	for i, l := range rows {
		mark := "   "
		if i == 0 {
			mark = " " + s.env.glyphs.Mark + " "
		}
		d.x, d.y = 3+ansi.StringWidth(l), len(d.lines)
		d.add(s.env.focused(i == 0, s.layout.width, mark+l)...)
	}
	if !s.tight() {
		for range lineRows - len(rows) + 1 { // what stands below keeps its place
			d.add("")
		}
	}
	s.rest(d, s.env.theme.Bad.Render, s.env.shown(s.problem))
	s.rest(d, plainStyle, peerLineHint)
}

func (s *setup) drawField(d *drawn) {
	i := s.page().field
	_, x := s.valueText(i)
	d.x, d.y = s.layout.value+x, len(d.lines)
	d.add(s.row(i))
	rows := 2
	for _, l := range s.paragraph(s.message(), rows) {
		if l != "" {
			l = s.env.theme.Bad.Render(l)
		}
		d.add(l)
	}
	s.rest(d, plainStyle, s.hint)
	if s.tight() {
		return
	}
	d.add("")
	s.rest(d, plainStyle, s.fields[i].About...)
	s.rest(d, plainStyle, s.fields[i].keys())
	s.drawSet(d, i)
}

// drawSet shows what is set or answered already, where there is room.
func (s *setup) drawSet(d *drawn, but int) {
	var rows []string
	for i := range s.fields {
		if i != but && !s.ahead(i) {
			rows = append(rows, "   "+pad(s.fields[i].Label, s.layout.value-3)+s.env.shown(valueText(s.fields[i], s.draft.Value(s.fields[i].Field))))
		}
	}
	if len(rows) > 0 && len(d.lines)+1+len(rows) <= s.layout.height {
		d.add("")
		d.add(rows...)
	}
}

// ahead says that a field is still to be asked for.
func (s *setup) ahead(field int) bool {
	for _, p := range s.pages[s.at:] {
		if p.kind == fieldPage && p.field == field {
			return true
		}
	}
	return false
}

func (s *setup) buttonsOfLast() []string {
	if s.done {
		return []string{"Status", "Done"}
	}
	return []string{"Check and Save", "Later"}
}

func (s *setup) drawLast(d *drawn) {
	for i := range s.fields[:min(len(s.fields), s.layout.height-1)] {
		d.add(s.row(i))
	}
	if told := advancedText(s.env.table, s.draft, s.unasked); told != "" && !s.tight() {
		d.add(s.env.fit("   "+s.env.shown(told), s.layout.width-1))
	}
	if !s.tight() {
		d.add("")
	}
	row, x := s.env.buttonRow(s.buttonsOfLast(), s.button, s.layout.width)
	d.x, d.y = x, len(d.lines)
	d.add(row)
	if s.tight() {
		return
	}
	d.add("")
	if s.done {
		s.rest(d, plainStyle, "Status shows the state of the sync and, until the peer answers, the line to type or paste at the other node. It waits for the peer without a limit.")
		return
	}
	s.rest(d, plainStyle, "Next come the checks, then the change of the file and the commands. Nothing is changed before you agree.")
}

func (s *setup) explain() (title string, lines []string) {
	switch {
	case s.gate != "":
		return s.form.explain()
	case s.page().kind == fieldPage:
		return s.form.explain()
	case s.page().kind == applicationPage:
		return "Help: the application", []string{applicationHint, "For none of these, no file is written."}
	case s.page().kind == peerLinePage:
		return "Help: the other node's line", []string{
			peerLineHint,
			peerLinePieces + " The line names the other node's interface; connsync takes the one on this node that has the address.",
			"ctrl+u clears what you typed.",
		}
	}
	return "Help: setup", []string{"Check and Save runs the checks, shows the change, and saves after you agree.", "Later quits. " + text.WaysBack(s.env.called) + "."}
}
