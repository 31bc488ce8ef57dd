package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
	"connsync/netcheck"
	"connsync/netcheck/likely"
)

// pick is one line of the picker.
type pick struct {
	netcheck.Interface
	refusal string // why it cannot be chosen; blank when it can
	gone    bool   // it was there when the selection came to it
	search  string // what a filter is looked for in, in lower case
}

// picker chooses an interface from the live list. The selection is a name, not
// a row: when the list changes it stays on that name, and on that row of the
// screen; an interface that vanishes stays where it is, marked, until the
// selection leaves it. So nobody ever chooses something that has just moved
// under the mark.
type picker struct {
	env      *env
	host     *host
	items    []pick   // in the order of names
	matches  []int    // those of items that the filter lets through
	selected string   // blank where none is likelier than the others
	alike    []string // the likeliest ones, where there is more than one
	first    int      // the first visible of matches
	filter   textinput.Model
	width    int
	height   int
}

// picked is what the picker returns when a name was chosen.
type picked struct{ name string }

func (picked) outcome() {}

var pickerKeys = struct{ up, down, pageUp, pageDown, home, end, choose, back key.Binding }{
	up:       key.NewBinding(key.WithKeys("up", "shift+tab"), key.WithHelp("up/down", "move")),
	down:     key.NewBinding(key.WithKeys("down", "tab")),
	pageUp:   key.NewBinding(key.WithKeys("pgup", "ctrl+b"), key.WithHelp("pgup/pgdn", "page")),
	pageDown: key.NewBinding(key.WithKeys("pgdown", "ctrl+f")),
	home:     key.NewBinding(key.WithKeys("home")),
	end:      key.NewBinding(key.WithKeys("end")),
	choose:   key.NewBinding(key.WithKeys("enter", "ctrl+j"), key.WithHelp("enter", "choose")),
	back:     key.NewBinding(key.WithKeys("esc", "ctrl+g"), key.WithHelp("esc", "back")),
}

// newPicker starts on current, or, where that is not an interface, with the
// search for it.
func newPicker(e *env, h *host, current string) *picker {
	p := &picker{env: e, host: h, selected: current, filter: newInput()}
	p.filter.CharLimit = 20
	p.filter.Focus()
	if _, ok := h.find(current); !ok && h.known {
		p.filter.SetValue(current)
		p.filter.CursorEnd()
	}
	p.refresh()
	return p
}

// openPicker shows the list; a watch that has ended is begun again.
func (m *Model) openPicker(current string) tea.Cmd {
	var cmd tea.Cmd
	if m.form.host.lost {
		cmd = m.form.start()
	}
	return m.open(newPicker(m.env, &m.form.host, current), cmd)
}

func (p *picker) title() string { return "Choose the sync interface" }

func (p *picker) update(msg tea.Msg) (outcome, tea.Cmd) {
	switch msg := msg.(type) {
	case interfacesListed:
		p.refresh()
	case tea.PasteMsg:
		p.edit(msg)
	case tea.KeyPressMsg:
		return p.press(msg), nil
	}
	return nil, nil
}

func (p *picker) press(k tea.KeyPressMsg) outcome {
	page := max(1, p.rows()-1)
	switch {
	case key.Matches(k, pickerKeys.back):
		if p.filter.Value() == "" {
			return closed{}
		}
		p.filter.Reset()
		p.match()
	case key.Matches(k, pickerKeys.choose):
		if i := p.index(); i >= 0 && p.items[p.matches[i]].refusal == "" {
			return picked{p.selected}
		}
	case key.Matches(k, pickerKeys.up):
		p.move(-1)
	case key.Matches(k, pickerKeys.down):
		p.move(+1)
	case key.Matches(k, pickerKeys.pageUp):
		p.move(-page)
	case key.Matches(k, pickerKeys.pageDown):
		p.move(+page)
	case key.Matches(k, pickerKeys.home):
		p.move(-len(p.matches))
	case key.Matches(k, pickerKeys.end):
		p.move(+len(p.matches))
	default:
		p.edit(k)
	}
	return nil
}

func (p *picker) edit(msg tea.Msg) {
	before := p.filter.Value()
	typeInto(&p.filter, msg)
	if p.filter.Value() != before {
		p.match()
	}
}

// refresh takes the newest list, keeping the selection where it is.
func (p *picker) refresh() {
	row := p.index() - p.first
	var ghost *pick
	if i := p.index(); i >= 0 {
		ghost = &p.items[p.matches[i]]
	}
	items := make([]pick, 0, len(p.host.list)+1)
	for _, i := range p.host.list {
		items = append(items, newPick(i))
	}
	if _, there := p.host.find(p.selected); ghost != nil && !there {
		ghost.gone, ghost.refusal = true, "it was removed from this host"
		items = append(items, *ghost)
	}
	slices.SortFunc(items, func(a, b pick) int { return naturalCompare(a.Name, b.Name) })
	p.items = items
	p.match()
	if i := p.index(); ghost != nil && i >= 0 {
		p.first = i - row
	}
	p.scroll()
}

func newPick(i netcheck.Interface) pick {
	words := append([]string{i.Name, i.Alias, i.Kind, i.Master}, i.AltNames...)
	for _, a := range i.Addresses {
		words = append(words, a.String())
	}
	return pick{Interface: i, refusal: refusal(i), search: strings.ToLower(strings.Join(words, "\n"))}
}

// refusal is why an interface cannot be the sync interface at all.
func refusal(i netcheck.Interface) string {
	if i.Loopback {
		return "it is the loopback interface, which cannot reach a peer"
	}
	if err := conntrackd.CheckInterfaceName(i.Name); err != nil {
		return err.Error()
	}
	return ""
}

// match applies the filter; a selection that it hides goes to the first line
// that can be chosen.
func (p *picker) match() {
	want := strings.ToLower(strings.TrimSpace(p.filter.Value()))
	p.matches = p.matches[:0]
	for i := range p.items {
		if strings.Contains(p.items[i].search, want) {
			p.matches = append(p.matches, i)
		}
	}
	if p.index() < 0 {
		p.selected, p.first = p.proposal(), 0
	}
	p.scroll()
}

// proposal is where the selection starts: the interface that looks most like one
// for the sync, or the one that was typed. Of several that look alike none is.
func (p *picker) proposal() string {
	var list []netcheck.Interface
	for _, usable := range []bool{true, false} {
		for _, i := range p.matches {
			switch it := p.items[i]; {
			case it.Name == p.filter.Value():
				p.alike = nil
				return it.Name
			case (it.refusal == "") == usable:
				list = append(list, it.Interface)
			}
		}
		if len(list) > 0 {
			break
		}
	}
	choice := likely.Of(list)
	p.alike = choice.Names
	return choice.Only()
}

// index is the place of the selection in matches, -1 when it is not there.
func (p *picker) index() int {
	return slices.IndexFunc(p.matches, func(i int) bool { return p.items[i].Name == p.selected })
}

func (p *picker) move(by int) {
	if len(p.matches) == 0 {
		return
	}
	to := min(max(p.index()+by, 0), len(p.matches)-1)
	p.selected = p.items[p.matches[to]].Name
	p.scroll()
}

// scroll brings the selection into the window. It goes on by half a window:
// to scroll by one line costs the whole list on a serial line.
func (p *picker) scroll() {
	rows, i := max(1, p.rows()), p.index()
	if i >= 0 && (i < p.first || i >= p.first+rows) {
		if i < p.first {
			p.first = i - rows/2
		} else {
			p.first = i - rows + 1 + rows/2
		}
	}
	p.first = max(0, min(p.first, len(p.matches)-rows))
}

func (p *picker) resize(w, h int) {
	p.width, p.height = w, h
	p.scroll()
}

// rows is how many lines of the list are visible: all but the filter, the
// heading and the lines about the selection.
func (p *picker) rows() int { return p.height - 2 - p.infoRows() }

// infoRows are two lines about the selection, with a blank one above where
// there is room.
func (p *picker) infoRows() int {
	if p.height < 12 {
		return 2
	}
	return 3
}

func (p *picker) help() []key.Binding {
	return []key.Binding{pickerKeys.choose, pickerKeys.up, pickerKeys.back, pickerKeys.pageUp}
}

// naturalCompare orders names as people do: eth2 before eth10.
func naturalCompare(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na == 0 || nb == 0 {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// digits is how many digits s begins with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
