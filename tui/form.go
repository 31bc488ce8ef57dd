package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// form is the screen with the settings, always at the bottom of the stack.
//
// What stands beside and below the fields is computed when a field is left,
// not while it is typed in: on a slow line a typed character costs one byte.
type form struct {
	env     *env
	draft   *text.Draft
	host    host
	gate    string
	half    string // see [Options]
	foreign bool   // the same
	// readOnly is why nothing can be saved here; blank where it can.
	readOnly string
	// stillEnabled says that what the gate bars is enabled all the same, and can be disabled.
	stillEnabled bool
	gateFocus    int                 // of its buttons
	inForce      conntrackd.Settings // as they were at the start
	*formPage                        // the one in sight
	main, more   *formPage           // more is nil where it is not offered
	// shown are the problems that the person has been told about: a field's
	// when it was left or a save was refused, until a keystroke cures it.
	shown  map[conntrackd.Field]string
	edited bool // something was typed since the focus came here
	// undoable says that the focused field is changed: of when it got the focus,
	// or was changed by more than typing.
	undoable bool
	refused  bool // the last save was refused because of what is shown
	hint     string
	advice   []conntrackd.Problem
	link     linkNow
	alone    bool // nothing stands beside it, however wide the window is
	// elsewhere are the settings of the file where somebody else has changed it, and
	// switched says that somebody else has turned the sync on or off.
	elsewhere *conntrackd.Settings
	filled    int // counts how often the form was filled from a file
	switched  bool
}

// The buttons, in their order after the fields.
const (
	saveButton = iota
	checkButton
	statusButton
	quitButton     // on the advanced page it leads back
	advancedButton // where there is more room than on the smallest usual screen
)

// savePressed saves as the button does; the quit dialog sends it.
type savePressed struct{}

var formKeys = struct{ next, prev, choose, change, left, right, undo, back, history, advanced, basic, reload key.Binding }{
	next:   key.NewBinding(key.WithKeys("tab", "down"), key.WithHelp("tab", "next")),
	prev:   key.NewBinding(key.WithKeys("shift+tab", "up"), key.WithHelp("shift+tab", "back")),
	choose: bind("enter", "choose", "enter", "ctrl+j"),
	// On a slow line the key line is the same in all fields: space opens the list too.
	change: bind("space", "choose", "space"),
	left:   key.NewBinding(key.WithKeys("left")),
	right:  key.NewBinding(key.WithKeys("right")),
	undo:   key.NewBinding(key.WithKeys("ctrl+r"), key.WithHelp("ctrl+r", "undo field")),
	back:   key.NewBinding(key.WithKeys("esc")),
	// On the buttons alone: in the fields it is a letter.
	history:  key.NewBinding(key.WithKeys("h"), key.WithHelp("h", "history")),
	advanced: key.NewBinding(key.WithKeys("ctrl+o"), key.WithHelp("ctrl+o", "advanced")),
	basic:    key.NewBinding(key.WithKeys("ctrl+o", "esc"), key.WithHelp("ctrl+o", "first page")),
	reload:   bind("ctrl+t", "reload file", "ctrl+t"),
}

func newForm(e *env, saved conntrackd.Settings, gate string, stillEnabled bool) *form {
	f := &form{env: e, draft: text.NewDraft(e.table, saved), gate: gate, stillEnabled: gate != "" && stillEnabled, inForce: saved, shown: map[conntrackd.Field]string{}}
	f.main = newFormPage(fields(e.table))
	if advanced := advancedFields(e.table); len(advanced) > 0 {
		f.more = newFormPage(advanced)
		f.more.advanced = true
	}
	f.formPage = f.main
	f.enter(0)
	return f
}

// newInput is a line editor whose drawing is ours: textinput's own cursor is
// wrong once the text scrolls. Bound are only keys that every line passes on:
// no ctrl+a (screen, minicom), no clipboard, tab is for the form. Deleting a word
// forward panics on the last character.
func newInput() textinput.Model {
	t := textinput.New()
	t.SetVirtualCursor(false)
	t.CharLimit = inputLimit
	none := key.NewBinding()
	t.KeyMap.LineStart = key.NewBinding(key.WithKeys("home"))
	t.KeyMap.Paste, t.KeyMap.AcceptSuggestion, t.KeyMap.DeleteWordForward = none, none, none
	t.KeyMap.NextSuggestion, t.KeyMap.PrevSuggestion = none, none
	return t
}

// typeInto gives a key or a paste to a line editor. One that the editor panics
// on changes nothing.
func typeInto(t *textinput.Model, msg tea.Msg) {
	value, at := t.Value(), t.Position()
	defer func() {
		if recover() != nil {
			t.SetValue(value)
			t.SetCursor(at)
		}
	}()
	*t, _ = t.Update(msg)
}

// start begins to watch the interfaces.
func (f *form) start() tea.Cmd {
	if f.gate != "" {
		return nil
	}
	return f.host.watch(f.env.ctx, f.env.effects.Interfaces)
}

func (f *form) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		return f.press(msg)
	case tea.PasteMsg:
		f.edit(msg)
	case settingsSaved:
		f.draft.Rebase(msg.settings)
		f.stillEnabled = f.stillEnabled && msg.settings.Enabled
		f.inForce = msg.settings
		if !msg.reread {
			f.half, f.foreign = "", false
		}
		f.elsewhere, f.switched = nil, false
		f.filled++
		f.recheck()
		f.settle()
	case savePressed:
		return f.save(), nil
	case linkDue, linkLooked:
		return nil, f.updateLink(msg)
	case fileDue, fileLooked, fileReread:
		return f.updateFile(msg)
	case enableAndSave, saveOff:
		_, enable := msg.(enableAndSave)
		return f.saveAnswered(enable), nil
	default:
		taken, cmd := f.host.update(msg)
		if taken {
			cmd = tea.Batch(cmd, f.lookAround())
			f.settle()
		}
		return nil, cmd
	}
	return nil, nil
}

func (f *form) press(k tea.KeyPressMsg) (outcome, tea.Cmd) {
	if f.gate != "" {
		return f.pressGate(k), nil
	}
	switch {
	case key.Matches(k, formKeys.next):
		return nil, f.move(+1)
	case f.focus >= len(f.fields) && k.String() == "up":
		return nil, f.moveTo(len(f.fields) - 1)
	case key.Matches(k, formKeys.prev):
		return nil, f.move(-1)
	case f.more != nil && key.Matches(k, f.turnKey()):
		return nil, f.turn()
	case f.outdated() != "" && key.Matches(k, formKeys.reload):
		return nil, f.reload()
	case key.Matches(k, formKeys.back):
		return nil, f.moveTo(len(f.fields) + quitButton)
	case f.focus >= len(f.fields):
		return f.pressButton(k)
	case key.Matches(k, formKeys.undo):
		f.draft.Revert(f.fields[f.focus].Field)
		f.recheck()
		f.settle()
		return nil, nil
	}
	switch fd := f.fields[f.focus]; {
	case fd.choices() != nil:
		return f.pressRadio(k)
	case fd.Kind == conntrackd.InterfaceSetting && (key.Matches(k, formKeys.change) || key.Matches(k, formKeys.choose) && !f.nameTyped()):
		return pickWanted{strings.TrimSpace(f.value())}, nil
	}
	if key.Matches(k, formKeys.choose) {
		return nil, f.move(+1)
	}
	if key.Matches(k, formKeys.right) && f.takeSuggestion() {
		return nil, nil
	}
	f.edit(k)
	return nil, nil
}

// nameTyped reports whether the name of an interface has just been typed in
// full, so that nothing can be chosen any more.
func (f *form) nameTyped() bool {
	_, known := f.host.find(f.value())
	return f.edited && f.value() != "" && (known || !f.host.known)
}

func (f *form) pressRadio(k tea.KeyPressMsg) (outcome, tea.Cmd) {
	fd := f.fields[f.focus]
	choices := fd.choices()
	at, last := slices.Index(choices, f.value()), len(choices)-1
	switch {
	case key.Matches(k, formKeys.choose):
		return nil, f.move(+1)
	case key.Matches(k, formKeys.change):
		at = (at + 1) % len(choices)
	case key.Matches(k, formKeys.left):
		at = max(at-1, 0)
	case key.Matches(k, formKeys.right) && at >= 0:
		at = min(at+1, last)
	case key.Matches(k, formKeys.right):
		at = last
	default:
		return nil, nil
	}
	f.draft.Set(fd.Field, choices[at])
	f.recheck()
	f.settle()
	return nil, nil
}

func (f *form) pressButton(k tea.KeyPressMsg) (outcome, tea.Cmd) {
	button := f.focus - len(f.fields)
	switch {
	case key.Matches(k, formKeys.left):
		return nil, f.moveTo(max(f.focus-1, len(f.fields)))
	case key.Matches(k, formKeys.right):
		return nil, f.moveTo(min(f.focus+1, f.stops()-1))
	case key.Matches(k, formKeys.history):
		return historyWanted{}, nil
	case !key.Matches(k, formKeys.choose, formKeys.change):
		return nil, nil
	}
	switch button {
	case saveButton:
		return f.save(), nil
	case checkButton:
		return f.check(), nil
	case statusButton:
		return statusWanted{}, nil
	case quitButton:
		if !f.advanced {
			return quitWanted{}, nil
		}
	}
	return nil, f.turn()
}

// stops is how many places the focus can be in.
func (f *form) stops() int { return len(f.fields) + len(f.buttonLabels()) }

// move goes to the next place, or to the one before: round and round with tab,
// and from the buttons, which stand beside each other, up to the last field.
func (f *form) move(by int) tea.Cmd {
	return f.moveTo((f.focus + by + f.stops()) % f.stops())
}

func (f *form) moveTo(to int) tea.Cmd {
	if to == f.focus {
		return nil
	}
	cmd := f.leave()
	f.enter(to)
	return cmd
}

// leave looks at what was typed: now is the time to say what is wrong.
func (f *form) leave() tea.Cmd {
	if f.focus >= len(f.fields) {
		return nil
	}
	f.inputs[f.focus].Blur()
	if f.fields[f.focus].Kind == conntrackd.InterfaceSetting {
		if i, ok := f.host.find(f.value()); ok && f.draft.Changed(conntrackd.FieldInterface) {
			f.draft.ChooseInterface(i)
		}
	}
	f.showProblems(false)
	return f.lookAround()
}

// enter gives the focus to a place; the cursor goes to the end of a text.
func (f *form) enter(to int) {
	f.focus, f.refused, f.edited = to, false, false
	f.settle()
	if to < len(f.fields) && f.fields[to].choices() == nil {
		f.inputs[to].Focus()
		f.inputs[to].CursorEnd()
	}
	f.scroll()
}

// lookAround asks for the neighbours while there is no peer to be seen.
func (f *form) lookAround() tea.Cmd {
	if f.draft.Value(conntrackd.FieldPeerIP) != "" {
		return nil
	}
	return f.host.askNeighbours(f.env.ctx, f.env.effects.Neighbours, f.draft.Value(conntrackd.FieldInterface))
}

// edit gives a key or a paste to the line editor of the focused field.
func (f *form) edit(msg tea.Msg) {
	if !f.typing() {
		return
	}
	typeInto(&f.inputs[f.focus], msg)
	if v := f.inputs[f.focus].Value(); v != f.value() {
		f.edited = true
		f.draft.Set(f.fields[f.focus].Field, v)
		f.recheck()
		f.noteSuggestion()
	}
}

// takeSuggestion completes the field, where the cursor is at its end and a
// suggestion stands beside it.
func (f *form) takeSuggestion() bool {
	in := &f.inputs[f.focus]
	s := f.suggestion(f.focus)
	if s == "" || in.Position() < len([]rune(in.Value())) {
		return false
	}
	f.draft.Set(f.fields[f.focus].Field, s)
	f.recheck()
	f.settle()
	in.CursorEnd()
	return true
}

func (f *form) suggestion(i int) string {
	on, _ := f.host.find(f.draft.Value(conntrackd.FieldInterface))
	var seen = f.host.seen
	if on.Index != f.host.seenOn {
		seen = nil
	}
	return f.draft.Suggestion(f.fields[i].Field, on, seen)
}

// picked takes an interface that was chosen from the list.
func (f *form) picked(name string) tea.Cmd {
	f.choosePicked(name)
	return tea.Batch(f.lookAround(), f.move(+1))
}

func (f *form) choosePicked(name string) {
	if i, ok := f.host.find(name); ok {
		f.draft.ChooseInterface(i)
	} else {
		f.draft.Set(conntrackd.FieldInterface, name)
	}
	f.showProblems(false)
	f.settle()
}

// value is the text of the focused field.
func (f *form) value() string { return f.text(f.fields[f.focus]) }

// text is that of a field, as it is drawn.
func (f *form) text(fd field) string { return fd.drawn(f.draft.Value(fd.Field)) }

// typing says whether letters are text here, so that the root leaves them alone.
func (f *form) typing() bool {
	return f.gate == "" && f.focus < len(f.fields) && f.fields[f.focus].choices() == nil
}
