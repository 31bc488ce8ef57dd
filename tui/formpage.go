package tui

import (
	"slices"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
)

// formPage is what the form shows at a time: the fields that every pair needs, or
// the advanced ones, each with its buttons below.
type formPage struct {
	advanced bool
	fields   []field
	inputs   []textinput.Model // beside fields; unused for a radio field
	notes    []string          // the same
	focus    int               // a field, then the buttons
	first    int               // the first row in the window, where they do not all fit
	layout   layout
}

func newFormPage(fields []field) *formPage {
	p := &formPage{fields: make([]field, 0, len(fields)), inputs: make([]textinput.Model, 0, len(fields))}
	for _, fd := range fields {
		p.add(fd)
	}
	return p
}

func (p *formPage) add(fd field) {
	p.fields, p.notes = append(p.fields, fd), append(p.notes, "")
	p.inputs = append(p.inputs, newInput())
	p.inputs[len(p.inputs)-1].CharLimit = fd.limit()
}

// index is the place of a field; negative where the page does not have it.
func (p *formPage) index(id conntrackd.Field) int {
	return slices.IndexFunc(p.fields, func(fd field) bool { return fd.Field == id })
}

// formRow is a line of a page: a field, or the heading of those that follow.
type formRow struct {
	field   int
	heading conntrackd.SettingGroup
}

func (p *formPage) rows() []formRow {
	var rows []formRow
	for i, fd := range p.fields {
		if p.advanced && (i == 0 || p.fields[i-1].Group() != fd.Group()) {
			rows = append(rows, formRow{-1, fd.Group()})
		}
		rows = append(rows, formRow{field: i})
	}
	return rows
}

// focusRow is the row that has to be in sight.
func (p *formPage) focusRow() int {
	return slices.IndexFunc(p.rows(), func(r formRow) bool { return r.field == min(p.focus, len(p.fields)-1) })
}

// layout is where things stand on the form; columns are cells from the left.
type layout struct {
	width, height int
	side          int // how wide the column beside the form is; 0 for none
	mark, label   int
	flag, value   int
	note          int // 0: no room for notes
	fieldRows     int // how many rows of fields are visible at a time
	hintRows      int
	problemRows   int
	tight         bool // hint and problem share their rows, no blank lines
}

// leastScrolled is how many rows of a page that is scrolled are worth a hint of its
// own below them.
const leastScrolled = 5

// resize lays the page out for so many cells, with a column of side cells beside it.
func (p *formPage) resize(width, side, height int) {
	l := layout{width: width, side: side, height: height, mark: 1, label: 3, flag: 23, value: 25, note: 42, hintRows: 1, problemRows: 2}
	if width < 60 {
		l.mark, l.label, l.flag, l.value, l.note = 0, 2, 16, 18, 0
	}
	if width < 80 {
		l.hintRows, l.problemRows = 2, 3
	}
	if p.advanced {
		l.hintRows = 2
		if l.note > 0 {
			l.note += 2 // behind two choices
		}
		l.widen(p.fields)
	}
	rows := len(p.rows())
	room := height - 1 - l.hintRows - l.problemRows - 2
	l.fieldRows = rows
	switch {
	case room >= rows:
	case p.advanced && room >= leastScrolled:
		l.fieldRows = room
	default:
		l.tight = true
		l.hintRows, l.problemRows = 0, 2
		l.fieldRows = max(1, min(rows, height-3))
	}
	p.layout = l
	p.scroll()
}

// widen makes room for the longest label.
func (l *layout) widen(fields []field) {
	for _, fd := range fields {
		label := fd.Label
		if l.note == 0 {
			label = fd.Short
		}
		if by := l.label + ansi.StringWidth(label) + 1 - l.flag; by > 0 {
			l.flag, l.value = l.flag+by, l.value+by
			if l.note > 0 {
				l.note += by
			}
		}
	}
}

// scroll moves the window as little as shows the focused row, and by half of it on
// the advanced page: to scroll by one row costs them all on a serial line.
func (p *formPage) scroll() {
	rows, window := p.rows(), max(1, p.layout.fieldRows)
	at := p.focusRow()
	top := at
	if at > 0 && rows[at-1].heading != "" && window > 1 {
		top-- // with its heading
	}
	jump := 0
	if p.advanced {
		jump = window / 2
	}
	switch {
	case top < p.first:
		p.first = top - jump
	case at >= p.first+window:
		p.first = at - window + 1 + jump
	}
	p.first = max(0, min(p.first, top, len(rows)-window))
}

// turn shows the other page.
func (f *form) turn() tea.Cmd {
	cmd := f.leave()
	f.showPage(!f.advanced)
	if f.advanced && f.focus >= len(f.fields) {
		f.focus = 0
	}
	f.enter(f.focus)
	return cmd
}

func (f *form) showPage(advanced bool) {
	if f.formPage = f.main; advanced && f.more != nil {
		f.formPage = f.more
	}
}

// goTo gives the focus to a field, on whichever page it is.
func (f *form) goTo(id conntrackd.Field) (found bool) {
	for _, p := range f.pages() {
		if i := p.index(id); i >= 0 {
			f.formPage = p
			f.enter(i)
			return true
		}
	}
	return false
}

// pages are those of the form, that in sight first.
func (f *form) pages() []*formPage {
	switch {
	case f.more == nil:
		return []*formPage{f.main}
	case f.advanced:
		return []*formPage{f.more, f.main}
	}
	return []*formPage{f.main, f.more}
}

// turnKey leads to the other page, where there is one.
func (f *form) turnKey() key.Binding {
	turn := formKeys.advanced
	if f.advanced {
		turn = formKeys.basic
	}
	turn.SetEnabled(f.more != nil)
	return turn
}

// title is that of the page in sight.
func (f *form) title() string {
	if f.advanced {
		return "Connection Sync: advanced settings"
	}
	return "Connection Sync Settings"
}
