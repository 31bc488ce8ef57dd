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

func (f *form) resize(width, height int) {
	for _, p := range f.pages() {
		form, side := width, 0
		if !f.alone && f.gate == "" {
			form, side = p.columns(width)
		}
		p.resize(form, side, height)
	}
	f.settle()
}

// settle brings everything beside and below the fields up to date.
func (f *form) settle() {
	s, problems := f.draft.Settings()
	for i, fd := range f.fields {
		if v := f.text(fd); f.inputs[i].Value() != v {
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
	f.undoable = f.focus < len(f.fields) && f.draft.Changed(f.fields[f.focus].Field)
}

// halfNote says what to do about a service that is neither enabled nor disabled.
func halfNote(half string) string { return half + ": Enable does both, Disable neither." }

// note is the short word beside a field.
func (f *form) note(i int, s conntrackd.Settings) string {
	fd := f.fields[i]
	switch {
	case f.advanced && f.text(fd) == "":
		return "as conntrackd has it: " + fd.Standard
	case f.advanced && fd.Kind != conntrackd.BytesSetting:
		return "default: " + fd.Standard
	}
	switch fd.Kind {
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
		switch {
		case f.draft.Dirty() && f.env.unmanaged:
			return "Save Changes: check, show the change, then write."
		case f.draft.Dirty():
			return "Save Changes: check, show the change, then write and restart."
		case f.half != "" || f.foreign:
			return "Save Changes: write and restart, or stop, as Enable Sync says."
		}
		return "Save Changes: no setting was changed; check, and show what is left to do."
	case checkButton:
		return "Check: only run the checks; nothing is written."
	case statusButton:
		return "Status: the state of the sync now."
	case advancedButton:
		return "Advanced: settings that few pairs need."
	case quitButton:
		if f.advanced {
			return "Back: the settings that every pair needs."
		}
		return "Quit: leave connsync."
	}
	fd := f.fields[f.focus]
	hint := fd.Hint
	if on := f.draft.Value(conntrackd.FieldInterface); fd.Field == conntrackd.FieldCurrentIP && on != "" {
		hint = strings.Replace(hint, "the interface", f.env.shown(on), 1)
	}
	standard := ""
	if f.advanced {
		standard = " (default " + fd.Standard + ")"
	}
	if f.layout.note > 0 {
		return fd.Label + standard + ": " + hint
	}
	if offer := f.suggestion(f.focus); offer != "" {
		return fd.Short + ": the right arrow accepts " + offer + "."
	}
	return fd.Short + standard + ": " + hint
}

// message is the one line about what is in the way: of the focused field
// first, then of any other, then what the host says against a good value.
func (f *form) message() string {
	for _, id := range f.order() {
		if m := f.shown[id]; m != "" {
			return f.env.glyphs.Bad + " " + f.told(id, m)
		}
	}
	if now := f.outdated(); now != "" {
		return f.env.glyphs.Bad + " " + text.ForeignOnForm(now, formKeys.reload.Help().Key)
	}
	if f.focus == len(f.fields)+saveButton {
		if r := f.disabledReason(); r != "" {
			return f.env.glyphs.Bad + " Not possible yet. " + f.env.shown(r)
		}
	}
	for _, id := range f.order() {
		if m := text.ProblemOf(f.advice, id); m != "" && f.index(id) >= 0 {
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

// order is all fields, the focused one first, then those of the page in sight.
func (f *form) order() []conntrackd.Field {
	var out []conntrackd.Field
	if f.focus < len(f.fields) {
		out = append(out, f.fields[f.focus].Field)
	}
	for _, p := range f.pages() {
		for _, fd := range p.fields {
			out = append(out, fd.Field)
		}
	}
	return out
}

func (f *form) view() string {
	if f.gate != "" {
		return f.gateView()
	}
	lines := f.fieldsAndButtons()
	if f.layout.side > 0 {
		return strings.Join(f.beside(lines), "\n")
	}
	return strings.Join(append(lines, f.linkLines(f.layout.height-len(lines))...), "\n")
}

func (f *form) fieldsAndButtons() []string {
	l := f.layout
	var lines []string
	rows := f.rows()
	for _, r := range rows[f.first:min(len(rows), f.first+l.fieldRows)] {
		if r.heading != "" {
			lines = append(lines, strings.Repeat(" ", l.mark)+f.env.theme.Title.Render(string(r.heading)))
			continue
		}
		lines = append(lines, f.row(r.field))
	}
	markMore(lines, l.width, f.first > 0, f.first+len(lines) < len(rows))
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
	return f.env.focused(i == f.focus, l.width, s)[0]
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
func (f *form) valueText(i int) (text string, x int) {
	l, fd := f.layout, f.fields[i]
	room := max(4, l.width-l.value-1)
	if fd.choices() != nil && f.advanced {
		return f.radio(fd, l.width-l.value-1) // beside it stands the mark of a page that scrolls
	}
	if fd.choices() != nil {
		return f.radio(fd, l.width-l.value)
	}
	pos := f.inputs[i].Position()
	if i != f.focus {
		pos = 0
	}
	return f.env.around([]rune(f.inputs[i].Value()), pos, room)
}

// radio is the choices of a field, or the one that is taken where they have no room
// beside each other, and the column of the cursor in it.
func (f *form) radio(fd field, room int) (drawn string, x int) {
	gap, g, value := "   ", f.env.glyphs, f.text(fd)
	if f.layout.note == 0 {
		gap = " "
	}
	x = 1 // also where nobody knows the value
	for i, choice := range fd.choices() {
		if i > 0 {
			drawn += gap
		}
		on := g.Off
		if choice == value {
			on = g.On
			x = ansi.StringWidth(drawn) + 1
		}
		drawn += on + " " + fd.title(choice)
	}
	if ansi.StringWidth(drawn) > room {
		return f.env.fit("< "+fd.title(value)+" >", room), 0
	}
	return drawn, x
}

func (f *form) paragraph(text string, rows int) []string {
	return paragraph(text, f.layout.label, f.layout.width, rows, f.env.glyphs.Ellipsis)
}

func (f *form) buttonLabels() []string {
	l, labels := f.layout, []string{"Save Changes", "Check", "Status", "Quit"}
	if l.note == 0 {
		labels[saveButton] = "Save"
	}
	switch {
	case f.advanced:
		labels[quitButton] = "Back"
	case f.more != nil && (l.side > 0 || l.width > 80 || l.width == 80 && l.height > 20):
		labels = append(labels, "Advanced")
	}
	return labels
}

func (f *form) buttons() (string, int) {
	return f.env.buttonRow(f.buttonLabels(), f.focus-len(f.fields), f.layout.width)
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
	return l.value + x, f.focusRow() - f.first, true
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
	lines := f.about(fd)
	lines = append(lines, "Tab and the up and down arrows move from field to field.", "", defaultOf(fd), exampleOf(fd))
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

// about is what a field is for, and its keys.
func (f *form) about(fd field) []string {
	lines := append([]string(nil), fd.About...)
	if fd.keys() != "" {
		lines = append(lines, fd.keys())
	}
	return lines
}

func defaultOf(fd field) string { return "Default: " + fd.Standard }
func exampleOf(fd field) string { return "Example: " + fd.Example }

// quitDialog asks before typed values are lost. It starts on No.
func (f *form) quitDialog() *dialog {
	n := f.lost()
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
