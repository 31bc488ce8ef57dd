package tui

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/plural"
	"connsync/tui/text"
)

// layout is where things stand on the form; columns are cells from the left.
type layout struct {
	width, height int
	mark, label   int
	flag, value   int
	note          int // 0: no room for notes
	fieldRows     int // how many fields are visible at a time
	hintRows      int
	problemRows   int
	tight         bool // hint and problem share their rows, no blank lines
}

// layoutFor is the form's layout for a body of that many cells.
func layoutFor(width, height, fields int) layout {
	l := layout{width: width, height: height, mark: 1, label: 3, flag: 23, value: 25, note: 42, fieldRows: fields, hintRows: 1, problemRows: 2}
	if width < 60 {
		l.mark, l.label, l.flag, l.value, l.note = 0, 2, 16, 18, 0
	}
	if width < 80 {
		l.hintRows, l.problemRows = 2, 3
	}
	if height < fields+1+l.hintRows+l.problemRows+2 {
		l.tight = true
		l.hintRows, l.problemRows = 0, 2
		l.fieldRows = max(1, min(fields, height-3))
	}
	return l
}

func (f *form) resize(width, height int) {
	f.layout = layoutFor(width, height, len(f.fields))
	f.settle()
	f.scroll()
}

// scroll moves the window of fields as little as shows the focused one.
func (f *form) scroll() {
	rows := max(1, f.layout.fieldRows)
	last := min(f.focus, len(f.fields)-1)
	f.first = min(max(f.first, last-rows+1), last)
	f.first = max(0, min(f.first, len(f.fields)-rows))
}

// settle brings everything beside and below the fields up to date.
func (f *form) settle() {
	s, problems := f.draft.Settings()
	for i, fd := range f.fields {
		if v := f.draft.Value(fd.Field); f.inputs[i].Value() != v {
			f.inputs[i].SetValue(v)
			f.inputs[i].CursorEnd()
		}
		f.notes[i] = f.note(i, s)
	}
	f.advice = nil
	if f.half != "" {
		f.advice = text.AddProblem(f.env.table, f.advice, conntrackd.Problem{Field: conntrackd.FieldEnabled, Message: halfNote(f.half)})
	}
	for _, p := range append(f.host.advice(f.draft.Values(), s), text.Warnings(f.env.table, s)...) {
		e, _ := f.env.table.Find(p.Field)
		pair := e.Follows != "" && text.ProblemOf(problems, e.Follows) != ""
		if text.ProblemOf(problems, p.Field) == "" && !pair {
			f.advice = text.AddProblem(f.env.table, f.advice, p)
		}
	}
	f.hint = f.hintText(s)
}

// halfNote says what to do about a service that is neither enabled nor disabled.
func halfNote(half string) string { return half + ": Enable does both, Disable neither." }

// note is the short word beside a field.
func (f *form) note(i int, s conntrackd.Settings) string {
	switch fd := f.fields[i]; fd.Kind {
	case conntrackd.InterfaceSetting:
		return f.host.interfaceNote(f.draft.Value(conntrackd.FieldInterface))
	case conntrackd.BytesSetting:
		n, _ := strconv.Atoi(fd.Text(s)) // blank is 0, which has no note
		return bytesNote(strings.TrimSpace(f.draft.Value(fd.Field)), n)
	case conntrackd.AddressSetting:
		if offer := f.suggestion(i); offer != "" {
			return "right arrow: " + offer
		}
	}
	return ""
}

// noteSuggestion keeps the offer beside a field true while it is typed in.
func (f *form) noteSuggestion() {
	if f.fields[f.focus].Kind == conntrackd.AddressSetting {
		f.notes[f.focus] = f.note(f.focus, conntrackd.Settings{})
	}
}

// hintText is the line that says what the focused place is for.
func (f *form) hintText(s conntrackd.Settings) string {
	switch f.focus - len(f.fields) {
	case saveButton:
		if f.draft.Dirty() {
			return "Save Changes: check, show the change, then write and restart."
		}
		if f.half != "" || f.foreign {
			return "Save Changes: write and restart, or stop, as Enable Sync says."
		}
		return "Save Changes: no setting was changed; nothing will be saved."
	case checkButton:
		return "Check: only run the checks; nothing is written."
	case statusButton:
		return "Status: the state of the sync now."
	case quitButton:
		return "Quit: leave connsync."
	}
	fd := f.fields[f.focus]
	hint := fd.Hint
	if on := f.draft.Value(conntrackd.FieldInterface); fd.Field == conntrackd.FieldCurrentIP && on != "" {
		hint = strings.Replace(hint, "the interface", f.env.shown(on), 1)
	}
	if f.layout.note > 0 {
		return fd.Label + ": " + hint
	}
	if offer := f.suggestion(f.focus); offer != "" {
		return fd.Short + ": the right arrow accepts " + offer + "."
	}
	return fd.Short + ": " + hint
}

// message is the one line about what is in the way: of the focused field
// first, then of any other, then what the host says against a good value.
func (f *form) message() string {
	for _, id := range f.order() {
		if m := f.shown[id]; m != "" {
			return f.env.glyphs.Bad + " " + f.told(id, m)
		}
	}
	if f.focus == len(f.fields)+saveButton {
		if r := f.disabledReason(); r != "" {
			return f.env.glyphs.Bad + " Not possible yet. " + f.env.shown(r)
		}
	}
	for _, id := range f.order() {
		if m := text.ProblemOf(f.advice, id); m != "" {
			return f.env.glyphs.Bad + " " + f.told(id, m)
		}
	}
	if f.host.err != nil {
		return f.env.glyphs.Bad + " " + f.env.shown("the interfaces of this host cannot be read: "+f.host.err.Error())
	}
	return ""
}

// told is a message with the name of its field, unless that has the focus.
func (f *form) told(id conntrackd.Field, message string) string {
	label := f.labelOf(id)
	if !f.focused(id) && !strings.HasPrefix(strings.ToLower(message), strings.ToLower(label)) {
		message = label + ": " + message
	} else if f.refused && f.focused(id) {
		message = "Not saved: " + message
	}
	return f.env.shown(message)
}

// order is all fields, the focused one first.
func (f *form) order() []conntrackd.Field {
	out := make([]conntrackd.Field, 0, len(f.fields)+1)
	if f.focus < len(f.fields) {
		out = append(out, f.fields[f.focus].Field)
	}
	for i := range f.fields {
		out = append(out, f.fields[i].Field)
	}
	return out
}

func (f *form) view() string {
	if f.gate != "" {
		return f.gateView()
	}
	lines := f.fieldsAndButtons()
	return strings.Join(append(lines, f.linkLines(f.layout.height-len(lines))...), "\n")
}

func (f *form) fieldsAndButtons() []string {
	l := f.layout
	var lines []string
	for i := f.first; i < min(len(f.fields), f.first+l.fieldRows); i++ {
		lines = append(lines, f.row(i))
	}
	markMore(lines, l.width, f.first > 0, f.first+len(lines) < len(f.fields))
	bad := f.env.theme.Bad
	problem := f.paragraph(f.message(), l.problemRows)
	for i := range problem {
		if problem[i] != "" {
			problem[i] = bad.Render(problem[i])
		}
	}
	if l.tight {
		if f.message() == "" {
			problem = f.paragraph(f.hint, l.problemRows)
		}
	} else {
		lines = append(lines, "")
		lines = append(lines, f.paragraph(f.hint, l.hintRows)...)
		problem = append(problem, "")
	}
	lines = append(lines, problem...)
	row, _ := f.buttons()
	return append(lines, row)
}

// row is one field.
func (f *form) row(i int) string {
	l, fd := f.layout, f.fields[i]
	mark, label := " ", fd.Label
	if i == f.focus {
		mark = f.env.glyphs.Mark
	}
	if l.note == 0 {
		label = fd.Short
	}
	s := strings.Repeat(" ", l.mark) + mark
	s = pad(pad(s, l.label)+label, l.flag) + f.flag(fd.Field) + " "
	value, _ := f.valueText(i)
	s += value
	if n := f.env.shown(f.notes[i]); n != "" && l.note > 0 && ansi.StringWidth(s) <= l.note-1 {
		n = ansi.Truncate(n, l.width-l.note-1, f.env.glyphs.Ellipsis)
		s = pad(s, l.note) + f.env.theme.Dim.Render(n)
	}
	return s
}

// flag is the sign before a value: bad, else changed.
func (f *form) flag(id conntrackd.Field) string {
	switch {
	case f.shown[id] != "":
		return f.env.theme.Bad.Render(f.env.glyphs.Bad)
	case f.draft.Changed(id):
		return f.env.theme.Accent.Render(f.env.glyphs.Changed)
	}
	return " "
}

// valueText is the value as it is drawn, and the column of the cursor in it.
// What is wider than its room is drawn from where the cursor is visible.
func (f *form) valueText(i int) (text string, x int) {
	l, g, fd := f.layout, f.env.glyphs, f.fields[i]
	if fd.Kind == conntrackd.SwitchSetting {
		gap := "   "
		if l.note == 0 {
			gap = " "
		}
		on, off := g.On, g.Off
		yes, no := " "+fd.title(true), " "+fd.title(false)
		if v := f.draft.Value(fd.Field); v == "" && fd.Field == conntrackd.FieldEnabled {
			return off + yes + gap + off + no, 1 // nobody knows
		} else if !fd.On(v) {
			on, off = off, on
			x = ansi.StringWidth(on+yes+gap) + 1
			return on + yes + gap + off + no, x
		}
		return on + yes + gap + off + no, 1
	}
	room := max(4, l.width-l.value-1)
	runes, pos := []rune(f.inputs[i].Value()), f.inputs[i].Position()
	if i != f.focus {
		pos = 0
	}
	from := 0
	for ansi.StringWidth(f.env.shown(string(runes[from:pos]))) >= room {
		from++
	}
	text = ansi.Truncate(f.env.shown(string(runes[from:])), room, "")
	return text, ansi.StringWidth(f.env.shown(string(runes[from:pos])))
}

func (f *form) paragraph(text string, rows int) []string {
	return paragraph(text, f.layout.label, f.layout.width, rows, f.env.glyphs.Ellipsis)
}

func (f *form) buttonLabels() []string {
	if f.layout.note == 0 {
		return []string{"Save", "Check", "Status", "Quit"}
	}
	return []string{"Save Changes", "Check", "Status", "Quit"}
}

func (f *form) buttons() (string, int) {
	return buttonRow(f.buttonLabels(), f.focus-len(f.fields), f.layout.width, f.env.glyphs)
}

// cursor is where the person is: at the text, on the radio mark, or on the
// first letter of a button.
func (f *form) cursor() (x, y int, ok bool) {
	l := f.layout
	switch {
	case f.gate != "":
		_, x = f.gateButtons()
		return x, strings.Count(f.gateView(), "\n"), true
	case f.focus >= len(f.fields):
		_, x = f.buttons()
		return x, len(f.fieldsAndButtons()) - 1, true
	}
	_, x = f.valueText(f.focus)
	return l.value + x, f.focus - f.first, true
}

// explain is the help of the focused field: its rule, default and an example,
// and what is wrong with it now, in full.
func (f *form) explain() (string, []string) {
	if f.gate != "" {
		return "Help", f.gateText()
	}
	if f.focus >= len(f.fields) {
		return "Help: the form", []string{f.hint}
	}
	fd := f.fields[f.focus]
	lines := append([]string(nil), fd.About...)
	if fd.keys() != "" {
		lines = append(lines, fd.keys())
	}
	lines = append(lines, "Tab and the up and down arrows move from field to field.", "", "Default: "+fd.Standard, "Example: "+fd.Example)
	if f.draft.Changed(fd.Field) {
		saved := f.draft.SavedValue(fd.Field)
		if saved == "" {
			saved = "blank"
		}
		lines = append(lines, "Saved:   "+f.env.shown(saved)+" (ctrl+r undoes the change)")
	}
	if m := f.draft.Problem(fd.Field); m != "" && f.draft.Value(fd.Field) != "" {
		lines = append(lines, "", f.env.glyphs.Bad+" "+f.env.shown(m))
	}
	return "Help: " + fd.Label, lines
}

// quitDialog asks before typed values are lost. It starts on No.
func (f *form) quitDialog() *dialog {
	n := len(f.draft.Changes())
	text := "Leave without saving? One change would be lost."
	if n > 1 {
		text = fmt.Sprintf("Leave without saving? %s would be lost.", plural.Of(n, "change", "changes"))
	}
	return &dialog{
		text: []string{text},
		answers: []answer{
			{label: "No, stay", key: "n"},
			{label: "Save", key: "s", msg: savePressed{}},
			{label: "Yes, leave", key: "y", msg: quitConfirmed{}},
		},
	}
}
