package tui

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"connsync/netcheck"
)

func typeName(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%T", v)
}

func openedPicker(t *testing.T, list []netcheck.Interface, keys ...string) (*Model, *picker) {
	t.Helper()
	m := newModel(t, 80, 24)
	m.Update(interfacesListed{run: m.form.host.run, list: list})
	press(t, m, append([]string{"tab", "enter"}, keys...)...)
	return m, m.top().(*picker)
}

// markRow is where the mark stands on the screen.
func markRow(m *Model) int {
	for i, l := range strings.Split(shot(m), "\n") {
		if strings.HasPrefix(l, " > ") {
			return i
		}
	}
	return -1
}

func TestPickerStartsOnSomethingUsable(t *testing.T) {
	_, p := openedPicker(t, appliance())
	if p.selected != "bond0" {
		t.Errorf("it starts on %s", p.selected)
	}
	_, p = openedPicker(t, appliance()[:4])
	if p.selected != "eth1" {
		t.Errorf("without the bond it starts on %s", p.selected)
	}
	_, p = openedPicker(t, appliance()[:2])
	if p.selected != "eth0" {
		t.Errorf("with nothing else it starts on %s", p.selected)
	}
}

func TestPickerRefuses(t *testing.T) {
	for _, name := range []string{"lo", "fe0", "eth0@if3"} {
		m, p := openedPicker(t, appliance())
		p.selected = name
		press(t, m, "enter")
		if m.top() != p {
			t.Fatalf("%s was taken", name)
		}
		mustShow(t, m, "! "+name+" cannot be chosen: ")
	}
	m, p := openedPicker(t, appliance())
	p.selected = "eth0"
	mustShow(t, m, "! eth0 has the default route: it carries production traffic")
	press(t, m, "enter")
	mustShow(t, m, "Interface Name      * eth0             up, 1 Gb/s, default route here")
}

// The selection stays on its name and on its row while the list changes around
// it, and what vanished under it cannot be chosen.
func TestPickerDoesNotJump(t *testing.T) {
	for _, list := range [][]netcheck.Interface{appliance(), manyInterfaces(4000)} {
		m, p := openedPicker(t, list)
		press(t, m, "pgdown", "down", "down")
		name, row := p.selected, markRow(m)
		grown := slices.Clone(list)
		for i := range 5 {
			grown = append(grown, netcheck.Interface{Name: fmt.Sprintf("aaa%d", i), Kind: "dummy"})
		}
		m.Update(interfacesListed{run: m.form.host.run, list: grown})
		if p.selected != name {
			t.Errorf("the selection went from %s to %s", name, p.selected)
		}
		if len(list) > 100 && markRow(m) != row {
			t.Errorf("the mark went from row %d to %d", row, markRow(m))
		}
		row = markRow(m)
		without := slices.DeleteFunc(slices.Clone(grown), func(i netcheck.Interface) bool { return i.Name == name })
		m.Update(interfacesListed{run: m.form.host.run, list: without})
		if p.selected != name || markRow(m) != row {
			t.Errorf("%s vanished: the mark is on %s, row %d instead of %d", name, p.selected, markRow(m), row)
		}
		press(t, m, "enter")
		if m.top() != p {
			t.Fatal("an interface that is gone was taken")
		}
		m.Update(interfacesListed{run: m.form.host.run, list: grown})
		if i := p.index(); p.items[p.matches[i]].gone {
			t.Error("it came back and is still said to be gone")
		}
		m.Update(interfacesListed{run: m.form.host.run, list: without})
		press(t, m, "up")
		m.Update(interfacesListed{run: m.form.host.run, list: without})
		if slices.ContainsFunc(p.items, func(i pick) bool { return i.Name == name }) {
			t.Error("it is still listed after the selection has left it")
		}
	}
}

func TestPickerFilter(t *testing.T) {
	for _, tc := range []struct {
		typed string
		want  []string
	}{
		{"ETH1", []string{"eth1", "eth10"}},
		{"vlan", []string{"eth4.100"}},
		{"10.0.0.", []string{"eth1"}},
		{"uplink", []string{"eth0"}},
		{"bond0", []string{"bond0", "eth3"}},
		{"nothing", nil},
	} {
		m, p := openedPicker(t, appliance())
		typeText(t, m, tc.typed)
		var got []string
		for _, i := range p.matches {
			got = append(got, p.items[i].Name)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%q finds %v, want %v", tc.typed, got, tc.want)
		}
		press(t, m, "enter")
		if tc.want == nil && m.top() != p {
			t.Errorf("%q: enter took something from an empty list", tc.typed)
		}
	}
	m, p := openedPicker(t, appliance(), "e", "t", "esc")
	if m.top() != p || len(p.matches) != 10 {
		t.Error("esc does not clear the search first")
	}
	if press(t, m, "esc"); m.top() == p {
		t.Error("esc does not leave")
	}
}

func TestPickerBeforeTheList(t *testing.T) {
	w := &watched{lists: make(chan []netcheck.Interface, 1)}
	m := New(Options{Glyphs: ASCIIGlyphs(), Effects: Effects{Interfaces: w}})
	m.Update(m.form.start()())
	m.Update(keyOf("tab"))
	m.Update(keyOf("enter"))
	mustShow(t, m, "Looking at the interfaces...")
	press(t, m, "enter") // typed ahead
	m.Update(interfacesListed{run: m.form.host.run, list: appliance(), next: w.lists})
	mustShow(t, m, " >   bond0")
}

func TestNaturalOrder(t *testing.T) {
	names := []string{"eth10", "lo", "eth2", "eth1.20", "bond0", "eth1", "eth1.3", "eth02", "a", "a1b2", "a1b10", ""}
	slices.SortFunc(names, naturalCompare)
	want := []string{"", "a", "a1b2", "a1b10", "bond0", "eth1", "eth1.3", "eth1.20", "eth2", "eth02", "eth10", "lo"}
	if !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
}

// With 4,000 interfaces a key is answered in a moment. The bound is a hundred
// times what it takes, so that only work that grows with the list in each
// frame can break it; what else the host does counts for nothing.
func TestPickerIsSmooth(t *testing.T) {
	m, _ := openedPicker(t, manyInterfaces(4000))
	start := processorTime(t)
	const moves = 100
	for range moves {
		press(t, m, "down")
		_ = m.View()
	}
	if per := (processorTime(t) - start) / moves; per > 20*time.Millisecond {
		t.Errorf("a move takes %v", per)
	}
}

// processorTime is what this process has used of the processors.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkPickerMove(b *testing.B) {
	m := New(Options{Glyphs: ASCIIGlyphs()})
	m.Update(interfacesListed{run: m.form.host.run, list: manyInterfaces(4000)})
	m.openPicker("")
	for b.Loop() {
		m.Update(keyOf("down"))
		_ = m.View()
	}
}

func BenchmarkPickerFilter(b *testing.B) {
	m := New(Options{Glyphs: ASCIIGlyphs()})
	m.Update(interfacesListed{run: m.form.host.run, list: manyInterfaces(4000)})
	m.openPicker("")
	for b.Loop() {
		m.Update(keyOf("9"))
		m.Update(keyOf("backspace"))
		_ = m.View()
	}
}
