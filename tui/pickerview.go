package tui

import (
	"connsync/plural"
	"connsync/tui/text"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// columns are where the parts of a line stand; 0 is a part for which there is
// no room.
type columns struct{ name, state, speed, kind, last int }

func (p *picker) columns() columns {
	if p.width < 60 {
		return columns{name: 4, state: 20, last: 31}
	}
	return columns{name: 5, state: 21, speed: 32, kind: 41, last: 51}
}

func (p *picker) view() string {
	lines := []string{p.filterLine(), p.heading()}
	rows := max(1, p.rows())
	for i := p.first; i < min(len(p.matches), p.first+rows); i++ {
		lines = append(lines, p.row(&p.items[p.matches[i]]))
	}
	if len(p.matches) == 0 {
		lines = append(lines, "   "+p.nothing())
	}
	for len(lines) < rows+2 {
		lines = append(lines, "")
	}
	return strings.Join(append(lines, p.info()...), "\n")
}

func (p *picker) filterLine() string {
	left := strings.Repeat(" ", p.columns().name) + "Find: " + p.env.shown(p.filter.Value())
	count := fmt.Sprintf("%d of %d", len(p.matches), len(p.items))
	if len(p.matches) == len(p.items) {
		count = plural.Of(len(p.items), "interface", "interfaces")
	}
	if p.host.lost && p.host.known {
		count += ", not live"
	}
	return pad(left, p.width-1-len(count)) + count
}

func (p *picker) heading() string {
	c := p.columns()
	s := pad(pad("", c.name)+"NAME", c.state) + "STATE"
	if c.speed > 0 {
		s = pad(s, c.speed) + "SPEED"
		s = pad(s, c.kind) + "KIND"
		s = pad(s, c.last) + "ADDRESS"
	}
	return p.env.theme.Dim.Render(s)
}

func (p *picker) row(it *pick) string {
	c, g := p.columns(), p.env.glyphs
	mark, flag := " ", " "
	if it.Name == p.selected {
		mark = g.Mark
	}
	if it.refusal != "" {
		flag = g.Bad
	}
	s := pad(pad(" "+mark, c.name-2)+flag, c.name) + p.env.shown(it.Name)
	s = pad(pad(s, c.state-1), c.state) + text.LinkWord(it.Interface)
	if c.speed > 0 {
		s = pad(s, c.speed)
		if it.Carrier {
			s += text.SpeedWord(it.SpeedMbps)
		}
		s = pad(s, c.kind) + p.env.shown(it.Kind)
		s = pad(s, c.last-1)
	}
	s = pad(s, c.last) + ansi.Truncate(p.remark(it), p.width-c.last, g.Ellipsis)
	return p.env.focused(it.Name == p.selected, p.width, s)[0]
}

// remark is the last column: what speaks against the interface, then its
// addresses; without room for those, its kind.
func (p *picker) remark(it *pick) string {
	var warn string
	switch {
	case it.gone:
		warn = "gone"
	case it.refusal != "":
		warn = "unusable"
	case it.DefaultRoute:
		warn = "default route"
	case it.Carries != "":
		warn = "traffic"
	case it.Master != "":
		warn = "in " + p.env.shown(it.Master)
	}
	if p.columns().speed == 0 {
		switch {
		case it.refusal == "" && it.DefaultRoute:
			return "default"
		case warn != "":
			return warn
		}
		return p.env.shown(it.Kind)
	}
	own := text.OwnAddresses(it.Interface)
	if len(own) == 0 {
		return warn
	}
	text := own[0].String()
	if len(own) > 1 {
		text += fmt.Sprintf(" +%d", len(own)-1)
	}
	if warn != "" {
		text = warn + ", " + text
	}
	return text
}

// nothing is what stands in the place of an empty list.
func (p *picker) nothing() string {
	switch {
	case p.host.err != nil:
		return p.env.shown("The interfaces cannot be read: " + p.host.err.Error())
	case p.host.lost && !p.host.known:
		return noInterfaceList + "; esc goes back, type the name."
	case !p.host.known:
		return "Looking at the interfaces" + p.env.glyphs.Ellipsis
	case len(p.items) == 0:
		return "This host has no network interface."
	}
	return "No interface matches; esc clears the search."
}

// info says what is not on the line of the selection: why it cannot be chosen,
// what speaks against it, further addresses, its alias. It is mostly blank, so
// that moving the selection costs little.
func (p *picker) info() []string {
	var text string
	if i := p.index(); i >= 0 {
		text = p.about(&p.items[p.matches[i]])
	} else if len(p.alike) > 1 {
		text = p.env.shown(lookAlike(p.alike))
	}
	lines := paragraph(text, 3, p.width, 2, p.env.glyphs.Ellipsis)
	if p.infoRows() > len(lines) {
		lines = append([]string{""}, lines...)
	}
	return lines
}

func (p *picker) about(it *pick) string {
	var parts []string
	bad, name := p.env.glyphs.Bad+" ", p.env.shown(it.Name)
	switch {
	case it.refusal != "":
		return bad + cannotBeChosen(name, p.env.shown(it.refusal))
	case it.DefaultRoute:
		parts = append(parts, bad+carriesTraffic(name))
	case it.Carries != "":
		parts = append(parts, bad+p.env.shown(carriesOther(it.Interface)))
	case it.Master != "":
		parts = append(parts, bad+name+" is part of "+p.env.shown(it.Master)+"; choose that")
	}
	if own := text.OwnAddresses(it.Interface); len(own) > 1 || p.columns().speed == 0 && len(own) > 0 {
		words := make([]string, len(own))
		for i := range own {
			words[i] = own[i].String()
		}
		parts = append(parts, strings.Join(words, ", "))
	}
	if it.Alias != "" {
		parts = append(parts, "alias: "+p.env.shown(it.Alias))
	}
	return strings.Join(parts, "; ")
}

// cursor is in the search: that is where letters go.
func (p *picker) cursor() (x, y int, ok bool) {
	before := string([]rune(p.filter.Value())[:p.filter.Position()])
	return p.columns().name + len("Find: ") + ansi.StringWidth(p.env.shown(before)), 0, true
}

func (p *picker) explain() (string, []string) {
	return "Help: choosing an interface", []string{
		"The list is live: it shows new, removed and changed interfaces at once. Type letters to search names, aliases, kinds and addresses. ctrl+g and esc go back.",
		"",
		"The sync should have its own interface. An interface with the default route also carries production traffic. A member of a bond or bridge has no address of its own: choose the bond.",
		"",
		"! marks interfaces that cannot be chosen: the loopback interface, and names that conntrackd cannot read.",
	}
}
