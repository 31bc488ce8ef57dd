package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// applications are what an appliance can be. Connection sync belongs to the
// first, the link load balancer.
func applications() []string { return []string{"LLB", "WAF", "ADC", "GSLB"} }

// stillEnabledText is said where the sync goes on although it is not offered any
// more.
const stillEnabledText = "The sync is still enabled, from when this was another appliance."

// gateText is why there are no fields, in sentences.
func (f *form) gateText() []string {
	text := []string{f.env.shown(f.gate)}
	if f.stillEnabled {
		text = append(text, stillEnabledText)
	}
	return text
}

// gateView says why the option is not there.
func (f *form) gateView() string {
	var lines []string
	for _, text := range f.gateText() {
		for _, l := range wrap(text, f.layout.width-6) {
			lines = append(lines, "   "+l)
		}
	}
	room := max(1, f.layout.height-1)
	lines = lines[:min(len(lines), room)]
	if len(lines) < room {
		lines = append(lines, "")
	}
	row, _ := f.gateButtons()
	return strings.Join(append(lines, row), "\n")
}

func (f *form) gateLabels() []string {
	if f.stillEnabled {
		return []string{"Disable Sync", "Quit"}
	}
	return []string{"Quit"}
}

func (f *form) gateButtons() (string, int) {
	labels := f.gateLabels()
	return f.env.buttonRow(labels, min(f.gateFocus, len(labels)-1), f.layout.width)
}

// pressGate handles the keys where there are no fields: a sync that is left
// over can be disabled, by the way of every save.
func (f *form) pressGate(k tea.KeyPressMsg) outcome {
	last := len(f.gateLabels()) - 1
	switch {
	case key.Matches(k, formKeys.next, formKeys.right):
		f.gateFocus = min(f.gateFocus, last) + 1
		if f.gateFocus > last {
			f.gateFocus = 0
		}
	case key.Matches(k, formKeys.prev, formKeys.left):
		f.gateFocus = (min(f.gateFocus, last) + last) % (last + 1)
	case key.Matches(k, formKeys.back):
		return quitWanted{}
	case !key.Matches(k, formKeys.choose, formKeys.change):
	case f.stillEnabled && f.gateFocus == 0:
		s := f.inForce
		s.Enabled = false
		return saveWanted{s}
	default:
		return quitWanted{}
	}
	return nil
}

func (f *form) gateHelp() []key.Binding {
	if f.stillEnabled {
		return []key.Binding{formKeys.next, formKeys.choose}
	}
	return []key.Binding{key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "quit"))}
}
