package tui

import (
	"context"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/shell"
	"connsync/tui/text"
)

// The smallest screen that anything useful fits on.
const (
	minWidth  = 40
	minHeight = 12
)

// env is what every screen is given by the root.
type env struct {
	ctx     context.Context
	table   conntrackd.SettingTable
	glyphs  Glyphs
	theme   Theme
	config  string
	called  shell.Program
	effects Effects
	host    *host // what is known of this host; nil where there is no form

	unmanaged bool // see [Options]
	hostname  string
}

// shown makes text from outside fit for this terminal: see [text.Clean].
func (e *env) shown(s string) string { return e.fitting(text.Clean(s)) }

// fitting makes clean text fit for this terminal: where it takes ASCII only,
// other characters become question marks.
func (e *env) fitting(s string) string {
	if !e.glyphs.ASCII || text.PlainASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, s)
}

// closer is a screen with something to end when it leaves the stack.
type closer interface{ close() }

// cursorer is a screen that shows where the person is with the terminal's
// cursor; x and y are cells of its body.
type cursorer interface {
	cursor() (x, y int, ok bool)
}

// interrupter is a screen that takes ctrl+c for itself while it is at work:
// interrupt is what the key does then, in a word; blank when it quits.
type interrupter interface{ interrupt() string }

// explainer is a screen with help of its own beside the list of its keys.
type explainer interface {
	explain() (title string, lines []string)
}

// Model is the root: the only tea.Model. It owns a stack of screens, draws the
// title and the key line round the topmost, and decides what comes next. It is
// used by one goroutine at a time, as Bubble Tea does.
type Model struct {
	env      *env
	form     *form
	setup    *setup   // around the form; nil where this is no setup
	screens  []screen // setup or form first
	dialog   *dialog
	pulse    *pulse
	hostname string
	state    string
	// stateWord is the word whose style the state has; blank for none.
	stateWord string
	width     int
	height    int
	runs      int
	leaving   *dialog // the question whether to leave, as long as it stands
	notice    string  // to be said at the start
	idle      presence
	cancel    context.CancelFunc
}

// New makes the root model with the form on it.
func New(o Options) *Model {
	if o.Context == nil {
		o.Context = context.Background()
	}
	ctx, cancel := context.WithCancel(o.Context)
	e := o.env(ctx)
	m := &Model{
		env: e, form: newForm(e, o.Saved, o.Gate, o.StillEnabled), hostname: o.Hostname, state: o.state(), cancel: cancel, pulse: newPulse(e),
	}
	m.notice = o.Notice
	m.form.half, m.form.foreign, m.form.readOnly = o.HalfEnabled, o.ForeignFile, o.ReadOnly
	o.forget(m.form.draft)
	m.form.settle()
	m.screens = []screen{m.form}
	if o.Setup != nil {
		m.setup = newSetup(m.form, *o.Setup)
		m.screens = []screen{m.setup}
	}
	e.host = &m.form.host
	m.resize(80, 24)
	return m
}

var rootKeys = struct{ redraw, quit, leave, help key.Binding }{
	leave:  key.NewBinding(key.WithKeys("q")),
	redraw: key.NewBinding(key.WithKeys("ctrl+l"), key.WithHelp("ctrl+l", "redraw")),
	quit:   key.NewBinding(key.WithKeys("ctrl+c"), key.WithHelp("ctrl+c", "quit")),
	help:   key.NewBinding(key.WithKeys("?", "f1"), key.WithHelp("?", "help")),
}

// quitConfirmed leaves the program whatever would be lost.
type quitConfirmed struct{}

// Init starts watching the interfaces and the sync.
func (m *Model) Init() tea.Cmd {
	if m.env.effects.Observer != nil && !m.env.unmanaged {
		return tea.Batch(m.pulse.start(), m.init())
	}
	return m.init()
}

func (m *Model) init() tea.Cmd {
	if m.setup != nil {
		return tea.Batch(m.start(), m.awaitKey())
	}
	return m.start()
}

func (m *Model) start() tea.Cmd {
	var say []string
	for _, text := range []string{m.notice, m.form.readOnly} {
		if text != "" {
			say = append(say, m.env.shown(text))
		}
	}
	begin := tea.Batch(m.form.start(), m.form.watchFile())
	if say == nil {
		return begin
	}
	said := &dialog{text: say, answers: []answer{{label: "Go On"}}, sudden: true}
	m.notice = ""
	return tea.Batch(begin, m.ask(said))
}

// Update dispatches a message, and looks at the link where the form has changed.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.dispatch(msg)
	return m, tea.Batch(cmd, m.form.lookAtLink(m.top() == screen(m.form)))
}

// dispatch gives keys to the dialog or the topmost screen, everything else to every
// screen, which knows its own messages.
func (m *Model) dispatch(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.resize(msg.Width, msg.Height)
		return nil
	case tea.BackgroundColorMsg:
		if !msg.IsDark() {
			m.env.theme = m.env.theme.onLight()
		}
		return nil
	case tea.KeyPressMsg:
		m.touch()
		return m.press(msg)
	case tea.PasteMsg:
		m.touch()
		return m.hand(len(m.screens)-1, msg)
	case dialogWoke:
		if m.dialog != nil && m.dialog.run == msg.run {
			m.dialog.deaf = false
		}
		return nil
	case quitConfirmed:
		return m.quit()
	case leaveChosen, left, idleDue:
		return m.leaveSetup(msg)
	case stateNoted:
		m.note(msg.text, "")
		return nil
	case observed, pulseDue, eventsRead:
		return m.beat(msg)
	case savePressed:
		m.backToForm()
	case settingsSaved:
		if !m.env.unmanaged {
			m.note(syncState(msg.settings), "")
		}
		return tea.Batch(m.broadcast(msg), m.pulse.saved())
	}
	return m.broadcast(msg)
}

func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, rootKeys.redraw):
		return tea.ClearScreen
	case key.Matches(k, rootKeys.quit) && m.interrupt() == "":
		return m.askQuit()
	case m.dialog != nil && !m.dialog.deaf:
		a := m.dialog.press(k)
		if a == nil {
			return nil
		}
		m.dialog = nil
		if a.msg == nil {
			return nil
		}
		_, cmd := m.Update(a.msg)
		return cmd
	case key.Matches(k, rootKeys.leave) && m.top() == screen(m.form) && !m.form.typing():
		return m.askQuit()
	case key.Matches(k, rootKeys.help) && m.helpAvailable():
		return m.openHelp()
	}
	return m.hand(len(m.screens)-1, k)
}

// interrupt is what ctrl+c does beside quitting; blank when it quits.
func (m *Model) interrupt() string {
	if i, ok := m.top().(interrupter); ok && m.dialog == nil {
		return i.interrupt()
	}
	return ""
}

// hand gives msg to one screen and follows its outcome.
func (m *Model) hand(i int, msg tea.Msg) tea.Cmd {
	o, cmd := m.screens[i].update(msg)
	return tea.Batch(cmd, m.apply(i, o))
}

// broadcast gives msg to every screen, the topmost last. An outcome may change
// the stack: the screens of the moment are asked, those that left are not.
func (m *Model) broadcast(msg tea.Msg) tea.Cmd {
	var cmds []tea.Cmd
	for _, s := range append([]screen(nil), m.screens...) {
		if i := m.index(s); i >= 0 {
			cmds = append(cmds, m.hand(i, msg))
		}
	}
	return tea.Batch(cmds...)
}

func (m *Model) index(s screen) int {
	for i := range m.screens {
		if m.screens[i] == s {
			return i
		}
	}
	return -1
}

// apply changes the stack as the screen at i asks; what is not about the
// stack is for follow.
func (m *Model) apply(i int, o outcome) tea.Cmd {
	switch o := o.(type) {
	case nil:
		return nil
	case closed:
		m.drop(i)
		return nil
	case dialogWanted:
		return m.ask(o.dialog)
	case quitWanted:
		return m.askQuit()
	}
	return m.follow(o)
}

// open puts s on top. cmd is what its constructor wants run.
func (m *Model) open(s screen, cmd tea.Cmd) tea.Cmd {
	m.screens = append(m.screens, s)
	m.resize(m.width, m.height)
	return cmd
}

// drop takes the screen at i and all above it off the stack. The form stays.
func (m *Model) drop(i int) {
	i = max(i, 1)
	for _, s := range m.screens[min(i, len(m.screens)):] {
		if c, ok := s.(closer); ok {
			c.close()
		}
	}
	m.screens = m.screens[:min(i, len(m.screens))]
}

// backToForm closes everything above the form.
func (m *Model) backToForm() { m.drop(1) }

func (m *Model) top() screen { return m.screens[len(m.screens)-1] }

func (m *Model) ask(d *dialog) tea.Cmd {
	m.dialog = d
	m.runs++
	return d.open(m.runs)
}

// askQuit leaves, or asks first where typed values would be lost. The second
// ctrl+c in a row leaves in any case.
func (m *Model) askQuit() tea.Cmd {
	if m.setup != nil {
		return m.askLeave()
	}
	if m.leaving != nil && m.leaving == m.dialog || m.form.lost() == 0 {
		return m.quit()
	}
	m.leaving = m.form.quitDialog()
	return m.ask(m.leaving)
}

func (m *Model) quit() tea.Cmd {
	m.drop(1)
	m.pulse.close()
	m.cancel()
	return tea.Quit
}

func (m *Model) resize(width, height int) {
	m.width, m.height = width, height
	for _, s := range m.screens {
		s.resize(width, max(0, height-4))
	}
}
