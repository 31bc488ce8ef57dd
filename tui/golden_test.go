package tui

import (
	"fmt"
	"testing"

	"github.com/charmbracelet/x/exp/golden"

	"connsync/netcheck"
)

var sizes = [][2]int{{80, 24}, {40, 12}, {132, 43}}

// manyInterfaces is a host with that many VLANs beside the appliance.
func manyInterfaces(n int) []netcheck.Interface {
	list := appliance()
	for i := len(list); i < n; i++ {
		list = append(list, netcheck.Interface{
			Index: 100 + i, Name: fmt.Sprintf("eth1.%d", i), Kind: "vlan", Up: i%3 != 0, Carrier: i%3 == 1, SpeedMbps: 10000,
			Addresses: prefixes(fmt.Sprintf("10.%d.%d.1/30", i>>8, i&255)),
		})
	}
	return list
}

// TestGolden compares whole screens, without their styles, with files in
// testdata/TestGolden; -update writes those.
func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options []func(*Options)
		do      func(*testing.T, *Model)
	}{
		{name: "form-empty"},
		{name: "form-filled", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "tab")
		}},
		{name: "form-changed", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "space", "tab", "tab", "tab", "tab", "tab", "ctrl+u")
			typeText(t, m, "128K")
			press(t, m, "tab")
		}},
		{name: "form-suggestion", options: []func(*Options){withNeighbours("10.0.0.102", "10.0.0.103")}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "enter", "enter", "tab")
		}},
		{name: "form-elsewhere", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "tab", "ctrl+u")
			typeText(t, m, "10.0.0.7/24")
			press(t, m, "enter", "up")
		}},
		{name: "form-error", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "tab", "tab", "ctrl+u")
			typeText(t, m, "10.0.1.102/24")
			press(t, m, "tab", "shift+tab")
		}},
		{name: "form-error-elsewhere", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "tab", "tab", "tab", "ctrl+u")
			typeText(t, m, "70000")
			press(t, m, "tab")
		}},
		{name: "form-refused", do: func(t *testing.T, m *Model) {
			press(t, m, "space", "esc", "left", "left", "left", "enter")
		}},
		{name: "form-save-button", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "space", "esc", "left", "left", "left")
		}},
		{name: "form-ipv6", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "tab", "ctrl+u")
			typeText(t, m, "fd00:1234:5678:9abc:def0:1234:5678:9abc/64")
		}},
		{name: "form-gate", options: []func(*Options){func(o *Options) {
			o.Gate = "Connection sync belongs to the link load balancer; this appliance runs WAF (/etc/connsync/application)."
		}}},
		{name: "form-gate-leftover", options: []func(*Options){withSaved, withLeftover}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab")
		}},
		{name: "quit-dialog", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "space", "ctrl+c")
		}},
		{name: "help-form", do: func(t *testing.T, m *Model) { press(t, m, "?") }},
		{name: "help-field", options: []func(*Options){withSaved}, do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "tab", "tab", "ctrl+u")
			typeText(t, m, "10.0.1.102/24")
			press(t, m, "?")
		}},
		{name: "help-picker", do: func(t *testing.T, m *Model) { press(t, m, "tab", "enter", "?") }},
		{name: "picker", do: func(t *testing.T, m *Model) { press(t, m, "tab", "enter") }},
		{name: "picker-default-route", do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "enter")
			m.top().(*picker).selected = "eth0"
		}},
		{name: "picker-unreadable", do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "enter", "f", "e", "0")
			press(t, m, "down", "enter")
		}},
		{name: "picker-addresses", do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "enter")
			m.top().(*picker).selected = "eth10"
		}},
		{name: "picker-alias", do: func(t *testing.T, m *Model) { press(t, m, "tab", "enter", "s", "y", "n", "c") }},
		{name: "picker-none", do: func(t *testing.T, m *Model) { press(t, m, "tab", "enter", "x", "y") }},
		{name: "picker-4000", do: func(t *testing.T, m *Model) {
			m.Update(interfacesListed{run: m.form.host.run, list: manyInterfaces(4000)})
			press(t, m, "tab", "enter", "end", "up", "up")
		}},
		{name: "picker-4000-filtered", do: func(t *testing.T, m *Model) {
			m.Update(interfacesListed{run: m.form.host.run, list: manyInterfaces(4000)})
			press(t, m, "tab", "enter")
			typeText(t, m, ".399")
		}},
		{name: "picker-gone", do: func(t *testing.T, m *Model) {
			press(t, m, "tab", "enter", "down", "down", "down")
			m.Update(interfacesListed{run: m.form.host.run, list: append(appliance()[:2], appliance()[3:]...)})
		}},
	} {
		for _, size := range sizes {
			name := fmt.Sprintf("%s-%dx%d", tc.name, size[0], size[1])
			t.Run(name, func(t *testing.T) { goldenShot(t, size, tc.options, tc.do) })
		}
		switch tc.name {
		case "form-changed", "form-error", "picker", "quit-dialog":
			for _, size := range sizes {
				t.Run(fmt.Sprintf("%s-unicode-%dx%d", tc.name, size[0], size[1]), func(t *testing.T) {
					goldenShot(t, size, append([]func(*Options){withUnicode}, tc.options...), tc.do)
				})
			}
		}
	}
}

func goldenShot(t *testing.T, size [2]int, options []func(*Options), do func(*testing.T, *Model)) {
	m := newModel(t, size[0], size[1], options...)
	if do != nil {
		do(t, m)
	}
	golden.RequireEqual(t, shot(m))
}
