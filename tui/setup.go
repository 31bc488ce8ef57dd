package tui

import (
	"context"
	"slices"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// Setup are the options of a first setup: the fields of the form, asked one at
// a time, and only those that are not set yet.
type Setup struct {
	Appliance Appliance
	// AsksApplication says that there is no application file yet.
	AsksApplication bool
	// Fresh says that nothing is set yet, not even to its default.
	Fresh bool
	// Answers are those of a setup that was left for later; nil for none. They are
	// not saved yet.
	Answers conntrackd.Values
	// Patience ends a setup that nobody answers, so that a boot goes on; 0 waits
	// for ever. When the settings are in force and the peer is awaited it is
	// twelve times as long.
	Patience time.Duration
}

// peerPatience is how many times longer the peer is awaited than a key.
const peerPatience = 12

// Appliance is what a setup asks of the host beside the settings.
type Appliance interface {
	// State writes down what the appliance is, one of [applications] or blank for
	// none of them, and says why connection sync is not offered on it; blank where
	// it is.
	State(ctx context.Context, application string) (gate string, err error)
	// Leave is told that the setup ends before anything was set up, and what was
	// answered until then, which a setup that was left for later begins with. An
	// error is the Appliance's to tell, when the screen is given back.
	Leave(ctx context.Context, how Leaving, answers conntrackd.Values) error
}

// Leaving is how a setup ends that has set up nothing.
type Leaving int

// The ways to leave.
const (
	Later      Leaving = iota // the next boot asks again
	Never                     // it is not to be offered again
	Unanswered                // nobody was there
)

type (
	// applicationConfirmed is the answer that the application is meant.
	applicationConfirmed struct{ word string }
	// applicationStated is what came of writing down what the appliance is.
	applicationStated struct {
		word, gate string
		err        error
	}
	// peerLineSettled: nothing more of the other node's line has come for a while.
	peerLineSettled struct{ run *run }
)

type pageKind int

const (
	applicationPage pageKind = iota
	peerLinePage
	fieldPage
	lastPage
)

// question is one page; the last page has the answers and asks whether to go on.
type question struct {
	kind  pageKind
	field int // index into the fields
}

// setup asks for the fields one at a time. It is the form with another face: the
// draft, the fields, what is wrong with them and the host are the form's, and so
// is the way of a save from there.
type setup struct {
	*form
	options Setup
	unasked []field // the advanced ones
	pages   []question
	at      int

	choice  int    // of the applications, and one more for none of them
	stated  string // the application that is written down; blank for none yet
	writing bool
	typed   []byte // of the other node's line
	pasting *run
	pasted  bool   // its values are taken: it says that the sync is enabled
	problem string // what is wrong with the answer on the application and line pages
	button  int    // on the last page
	done    bool   // the sync is set up
}

var setupKeys = struct{ next, prev, choose, change, list key.Binding }{
	next:   bind("enter", "next", "enter", "ctrl+j", "tab", "down"),
	prev:   bind("shift+tab", "back", "shift+tab", "up", "esc"),
	choose: bind("enter", "choose", "enter", "ctrl+j"),
	change: bind("space", "change", "space"),
	list:   bind("space", "list", "space"),
}

// newSetup makes the setup around a form.
func newSetup(f *form, o Setup) *setup {
	s := &setup{form: f, options: o, done: f.inForce.Enabled && f.inForce.Complete() && !o.Fresh}
	f.alone = true
	if f.more != nil {
		s.unasked, f.more = f.more.fields, nil
	}
	if !s.done {
		o.takeAnswers(f.draft)
	}
	if o.AsksApplication {
		s.pages = append(s.pages, question{kind: applicationPage})
	}
	if o.Fresh {
		s.pages = append(s.pages, question{kind: peerLinePage})
	}
	s.pages = append(s.pages, s.open(o.Fresh)...)
	s.goTo(0)
	return s
}

// takeAnswers puts into a draft what was answered before, and Enable, which is
// what a setup is opened for.
func (o Setup) takeAnswers(d *text.Draft) {
	for field, value := range o.Answers {
		if value != "" {
			d.Set(field, value)
		}
	}
	d.Set(conntrackd.FieldEnabled, "enable")
}

// open are the pages of the fields that are not set, and the last one. With all
// that is every field.
func (s *setup) open(all bool) []question {
	var pages []question
	for i, fd := range s.fields {
		wanted := all || s.draft.Value(fd.Field) == "" || s.draft.Problem(fd.Field) != ""
		if fd.Field == conntrackd.FieldEnabled {
			wanted = all || !s.done && !s.pasted && s.draft.SavedValue(fd.Field) != "enable"
		}
		if wanted {
			pages = append(pages, question{fieldPage, i})
		}
	}
	return append(pages, question{kind: lastPage})
}

func (s *setup) page() question { return s.pages[s.at] }

// goTo shows a page. What is typed goes to its field.
func (s *setup) goTo(at int) {
	s.at, s.problem, s.button = at, "", 0
	focus := len(s.fields)
	if p := s.page(); p.kind == fieldPage {
		focus = p.field
	}
	s.enter(focus)
}

// goToField shows the page of a field, which may not have been asked for.
func (s *setup) goToField(id conntrackd.Field) {
	for i, fd := range s.unasked {
		if fd.Field == id {
			s.add(fd)
			s.unasked = slices.Delete(s.unasked, i, i+1)
			break
		}
	}
	for i, fd := range s.fields {
		if fd.Field != id {
			continue
		}
		for at, p := range s.pages {
			if p.kind == fieldPage && p.field == i {
				s.goTo(at)
				return
			}
		}
		last := len(s.pages) - 1
		s.pages = append(s.pages[:last], question{fieldPage, i}, question{kind: lastPage})
		s.goTo(last)
	}
}

func (s *setup) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		switch {
		case s.stated != "" && s.gate != "" && key.Matches(msg, setupKeys.prev):
			s.gate = ""
			s.goTo(0)
			return nil, nil
		case s.gate != "":
			return s.form.update(msg)
		}
		return s.press(msg)
	case tea.PasteMsg:
		if s.page().kind == peerLinePage {
			return nil, s.typeLine(msg.Content)
		}
		return s.form.update(msg)
	case applicationConfirmed:
		return nil, s.state(msg.word)
	case applicationStated:
		s.noteStated(msg)
		return nil, nil
	case peerLineSettled:
		if msg.run == s.pasting && s.page().kind == peerLinePage {
			return nil, s.readLine()
		}
		return nil, nil
	case settingsSaved:
		o, cmd := s.form.update(msg)
		if msg.reread {
			return o, cmd
		}
		s.done = msg.settings.Enabled && msg.settings.Complete()
		s.pages = append(s.pages[:len(s.pages)-1], question{kind: lastPage})
		s.goTo(len(s.pages) - 1)
		return o, cmd
	}
	return s.form.update(msg)
}

func (s *setup) press(k tea.KeyPressMsg) (outcome, tea.Cmd) {
	switch s.page().kind {
	case applicationPage:
		return s.pressApplication(k)
	case peerLinePage:
		return nil, s.pressLine(k)
	case lastPage:
		return s.pressLast(k)
	}
	f := s.fields[s.page().field]
	lists := f.Kind == conntrackd.InterfaceSetting && (key.Matches(k, setupKeys.list) || key.Matches(k, setupKeys.choose) && s.value() == "")
	switch {
	case lists:
		return pickWanted{s.value()}, nil
	case key.Matches(k, setupKeys.next):
		return s.forward()
	case key.Matches(k, setupKeys.prev):
		return nil, s.back()
	}
	return s.form.press(k)
}

// back shows the page before; the first one has none before it.
func (s *setup) back() tea.Cmd {
	cmd := s.leave()
	if s.at > 0 {
		s.goTo(s.at - 1)
	}
	return cmd
}

// forward takes the answer to the question and shows the next one, or says what
// is wrong with it.
func (s *setup) forward() (outcome, tea.Cmd) {
	i := s.page().field
	id := s.fields[i].Field
	cmd := s.leave()
	if m := s.draft.Problem(id); m != "" {
		s.enter(i)
		s.shown[id] = m
		return nil, cmd
	}
	if id == conntrackd.FieldEnabled && !s.draft.Enabled() {
		s.enter(i)
		return dialogWanted{s.leaveDialog()}, cmd
	}
	s.goTo(s.at + 1)
	return nil, cmd
}

// picked takes an interface that was chosen from the list.
func (s *setup) picked(name string) tea.Cmd {
	s.choosePicked(name)
	_, cmd := s.forward()
	return tea.Batch(s.lookAround(), cmd)
}

func (s *setup) pressLast(k tea.KeyPressMsg) (outcome, tea.Cmd) {
	labels := s.buttonsOfLast()
	switch {
	case key.Matches(k, formKeys.right), k.String() == "tab":
		s.button = (s.button + 1) % len(labels)
	case key.Matches(k, formKeys.left):
		s.button = (s.button + len(labels) - 1) % len(labels)
	case key.Matches(k, setupKeys.prev) && !s.done:
		return nil, s.back()
	case !key.Matches(k, formKeys.choose, formKeys.change):
	case s.done && s.button == 0:
		return statusWanted{}, nil
	case s.button > 0:
		return quitWanted{}, nil
	default:
		return s.save(), nil
	}
	return nil, nil
}

// save asks for the save, or shows the question whose answer is in the way.
func (s *setup) save() outcome {
	settings, problems := s.draft.Settings()
	if len(problems) > 0 {
		s.goToField(problems[0].Field)
		s.refuse(problems)
		return nil
	}
	return saveWanted{settings}
}

// leaveDialog asks what becomes of the setup.
func (s *setup) leaveDialog() *dialog {
	return &dialog{
		text: []string{"Quit the setup? " + text.NothingSetUp(s.stated, s.env.called) + " Later: the next boot asks again."},
		answers: []answer{
			{label: "No, stay", key: "n"},
			{label: "Later", key: "l", msg: leaveChosen{Later}},
			{label: "Never", key: "v", msg: leaveChosen{Never}},
		},
	}
}

func (s *setup) help() []key.Binding {
	switch {
	case s.gate != "" && s.stated != "":
		return append(s.form.help(), setupKeys.prev)
	case s.gate != "":
		return s.form.help()
	}
	switch p := s.page(); {
	case p.kind == applicationPage:
		return []key.Binding{setupKeys.next, setupKeys.change}
	case p.kind == lastPage && s.done:
		return []key.Binding{setupKeys.choose, formKeys.next}
	case p.kind == lastPage:
		return []key.Binding{setupKeys.choose, formKeys.next, setupKeys.prev}
	case p.kind == fieldPage && s.fields[p.field].Kind == conntrackd.InterfaceSetting:
		return []key.Binding{setupKeys.next, setupKeys.prev, setupKeys.list}
	}
	undo, change := formKeys.undo, setupKeys.change
	change.SetEnabled(false)
	if p := s.page(); p.kind == fieldPage {
		undo = s.undoKey()
		change.SetEnabled(s.fields[p.field].choices() != nil)
	}
	return []key.Binding{setupKeys.next, change, setupKeys.prev, undo}
}

func (s *setup) title() string { return "Connection Sync: setup" }
