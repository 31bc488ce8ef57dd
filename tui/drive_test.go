package tui

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"connsync/conntrackd"
)

// driver runs the root model as Bubble Tea would, without a terminal and
// inside a synctest bubble, so that time passes only where a test says so.
type driver struct {
	t    *testing.T
	m    *Model
	msgs chan tea.Msg
}

// drive runs do in a bubble with a model of that size.
func drive(t *testing.T, o Options, width, height int, do func(d *driver)) {
	t.Helper()
	if !o.Saved.Enabled {
		o.Saved = pairSettings()
	}
	driveAsIs(t, o, width, height, do)
}

// driveAsIs is drive with the settings of o, whatever they are.
func driveAsIs(t *testing.T, o Options, width, height int, do func(d *driver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &driver{t: t, m: New(o), msgs: make(chan tea.Msg, 4096)}
		d.send(tea.WindowSizeMsg{Width: width, Height: height})
		do(d)
		d.m.quit()
		time.Sleep(24 * time.Hour) // what was started has to end
	})
}

// follow does what a screen may ask of the root, and lets everything settle.
func (d *driver) follow(o outcome) {
	d.do(d.m.apply(0, o))
	d.settle()
}

// do runs a command, and those that it is made of, in the background.
func (d *driver) do(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() { d.take(cmd()) }()
}

// take hands on a message; what Bubble Tea itself would unpack is unpacked.
func (d *driver) take(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, cmd := range msg {
			d.do(cmd)
		}
	default:
		if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
			for i := range v.Len() { // a sequence
				d.take(v.Index(i).Interface().(tea.Cmd)())
			}
			return
		}
		d.msgs <- msg
	}
}

// settle hands over messages until nothing happens without time passing.
func (d *driver) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-d.msgs:
			d.send(msg)
		default:
			return
		}
	}
}

func (d *driver) send(msg tea.Msg) {
	_, cmd := d.m.Update(msg)
	d.do(cmd)
}

// wait lets time pass.
func (d *driver) wait(t time.Duration) {
	for step := min(t, 100*time.Millisecond); t > 0; t -= step {
		time.Sleep(step)
		d.settle()
	}
}

// press sends keys by their names.
func (d *driver) press(names ...string) {
	for _, name := range names {
		d.send(keyPress(name))
		d.settle()
	}
}

func keyPress(name string) tea.KeyPressMsg {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp,
		"down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "space": tea.KeySpace,
		"pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome, "end": tea.KeyEnd}
	switch code, ok := codes[name]; {
	case ok:
		return tea.KeyPressMsg{Code: code}
	case name == "shift+tab":
		return tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
	case strings.HasPrefix(name, "ctrl+"):
		return tea.KeyPressMsg{Code: rune(name[5]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

// content is what stands on the terminal.
func (d *driver) content() string { return d.m.View().Content }

func (d *driver) top() screen { return d.m.top() }

// wantScreen fails unless the screen on top has the type of want.
func (d *driver) wantScreen(want screen) {
	d.t.Helper()
	if got := d.top(); reflect.TypeOf(got) != reflect.TypeOf(want) {
		d.t.Fatalf("%T is on top, want %T\n%s", got, want, d.content())
	}
}

// wants fails unless each text stands on the screen.
func (d *driver) wants(texts ...string) {
	d.t.Helper()
	flat := strings.Join(strings.Fields(d.content()), " ")
	for _, text := range texts {
		if !strings.Contains(flat, text) {
			d.t.Errorf("%q is not on the screen:\n%s", text, d.content())
		}
	}
}

// lacks fails if one of the texts stands on the screen.
func (d *driver) lacks(texts ...string) {
	d.t.Helper()
	flat := strings.Join(strings.Fields(d.content()), " ")
	for _, text := range texts {
		if strings.Contains(flat, text) {
			d.t.Errorf("%q is on the screen:\n%s", text, d.content())
		}
	}
}

// page is one golden: what the screen has to look like in one state.
type page struct {
	name    string
	effects Effects
	do      func(d *driver)
}

// goldenSizes are the terminals that every page is drawn for.
var goldenSizes = []struct {
	name          string
	width, height int
}{{"80x24", 80, 24}, {"40x12", 40, 12}, {"132x43", 132, 43}}

// checkPages draws every page at every size in ASCII, and those that are named
// in rich in Unicode and colour too.
func checkPages(t *testing.T, pages []page, rich ...string) {
	t.Helper()
	for _, p := range pages {
		for _, size := range goldenSizes {
			t.Run(p.name+"/"+size.name, func(t *testing.T) {
				checkPage(t, p, ASCIIGlyphs(), PlainTheme(), size.width, size.height)
			})
		}
		if !slices.Contains(rich, p.name) {
			continue
		}
		for _, size := range goldenSizes {
			t.Run(p.name+"/unicode-"+size.name, func(t *testing.T) {
				checkPage(t, p, UnicodeGlyphs(), ThemeOf(true, true), size.width, size.height)
			})
		}
	}
}

// checkWide draws the pages that are named on a wide terminal too.
func checkWide(t *testing.T, pages []page, names ...string) {
	t.Helper()
	for _, p := range pages {
		if slices.Contains(names, p.name) {
			t.Run(p.name+"/200x60", func(t *testing.T) { checkPage(t, p, ASCIIGlyphs(), PlainTheme(), 200, 60) })
		}
	}
}

func checkPage(t *testing.T, p page, g Glyphs, th Theme, width, height int) {
	t.Helper()
	var got string
	drive(t, Options{Hostname: "fw-a", Glyphs: g, Theme: th, Effects: p.effects}, width, height, func(d *driver) {
		p.do(d)
		got = d.content()
	})
	if lines := strings.Count(got, "\n") + 1; lines != height {
		t.Errorf("%d lines on a screen of %d", lines, height)
	}
	if g.ASCII {
		if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); i >= 0 {
			t.Errorf("not plain ASCII at %q", got[i:min(len(got), i+20)])
		}
	}
	golden.RequireEqual(t, got+"\n")
}

func pairSettings() conntrackd.Settings {
	return conntrackd.Settings{
		Enabled: true, Interface: "eth1", Port: 3780, SendBuffer: 65536, ReceiveBuffer: 65536,
		Current: netip.MustParsePrefix("10.0.0.101/24"), Peer: netip.MustParsePrefix("10.0.0.102/24"),
	}
}

// untilDone blocks as a real effect would; it is over when ctx is.
func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// savePath is the way of a save that is checked first.
var savePath = []string{"checks", "review", "apply"}
