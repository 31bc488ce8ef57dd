package tui

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd"
)

// bindings are all keys of a line editor.
func bindings(m textinput.KeyMap) []string {
	var names []string
	for _, v := range reflect.ValueOf(m).Fields() {
		b := v.Interface().(key.Binding)
		names = append(names, b.Keys()...)
	}
	return names
}

// modified is a key by its name, with what is held beside it.
func modified(t *testing.T, name string) tea.KeyPressMsg {
	t.Helper()
	parts := strings.Split(name, "+")
	codes := map[string]rune{"left": tea.KeyLeft, "right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown, "home": tea.KeyHome,
		"end": tea.KeyEnd, "tab": tea.KeyTab, "delete": tea.KeyDelete, "backspace": tea.KeyBackspace}
	var k tea.KeyPressMsg
	for _, mod := range parts[:len(parts)-1] {
		k.Mod |= map[string]tea.KeyMod{"alt": tea.ModAlt, "ctrl": tea.ModCtrl}[mod]
	}
	last := parts[len(parts)-1]
	if k.Code = codes[last]; k.Code == 0 {
		k.Code = rune(last[0])
	}
	if k.String() != name {
		t.Fatalf("%+v is %s, want %s", k, k, name)
	}
	return k
}

var edited = []string{"", "a", " ", "  ", "ab", "a ", " a", "10.0.0.101/24", "fd00::1 fe80::1%eth0", "日", "日本 語", "é\u0301", strings.Repeat("x", inputLimit)}

// No key that is bound breaks a field, wherever the cursor is, and none that
// would can.
func TestEveryKeyOfAField(t *testing.T) {
	all := bindings(textinput.DefaultKeyMap())
	if len(all) < 30 {
		t.Fatalf("%d keys", len(all))
	}
	for _, value := range edited {
		for at := 0; at <= len([]rune(value)); at++ {
			for _, name := range all {
				in := newInput()
				in.Focus()
				in.SetValue(value)
				in.SetCursor(at)
				in.Update(modified(t, name)) // panics where a binding does

				in.SetValue(value)
				in.SetCursor(at)
				in.KeyMap = textinput.DefaultKeyMap()
				typeInto(&in, modified(t, name))
				if n := len([]rune(in.Value())); in.Position() < 0 || in.Position() > n || n > inputLimit {
					t.Errorf("%s at %d of %q: the cursor is at %d of %q", name, at, value, in.Position(), in.Value())
				}
				typeInto(&in, tea.KeyPressMsg{Code: 'z', Text: "z"})
				typeInto(&in, tea.PasteMsg{Content: "日\n"})
				if len([]rune(value)) < inputLimit && !strings.Contains(in.Value(), "z") {
					t.Errorf("%s at %d of %q: nothing can be typed any more: %q", name, at, value, in.Value())
				}
			}
		}
	}
}

// The same in the form and in the list of interfaces, whose own keys come first.
func TestEveryKeyInItsPlace(t *testing.T) {
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: lineEffects()}, 80, 24, func(d *driver) {
		for range len(d.m.form.fields) {
			for _, name := range bindings(textinput.DefaultKeyMap()) {
				focus := d.m.form.focus
				d.send(modified(t, name))
				d.settle()
				d.content()
				d.do(d.m.form.moveTo(focus))
			}
			d.press("tab")
		}
		d.do(d.m.openPicker("eth1"))
		d.settle()
		for _, name := range bindings(textinput.DefaultKeyMap()) {
			d.press("e")
			d.send(modified(t, name))
			d.settle()
			d.content()
		}
	})
}

// F1 is the help everywhere, also where a question mark would be text.
func TestF1IsHelp(t *testing.T) {
	f1 := tea.KeyPressMsg{Code: tea.KeyF1}
	drive(t, Options{Glyphs: ASCIIGlyphs(), Effects: lineEffects()}, 80, 24, func(d *driver) {
		d.press("tab", "tab", "tab")
		d.send(f1)
		d.wantScreen(&helpScreen{})
		d.send(f1)
		d.wantScreen(&form{})
	})
}

// The library of the line editor would run a program from PATH for its clipboard.
func TestNoKeyPastesFromAClipboard(t *testing.T) {
	if in := newInput(); in.KeyMap.Paste.Enabled() || len(in.KeyMap.Paste.Keys()) > 0 {
		t.Errorf("it pastes by %v", in.KeyMap.Paste.Keys())
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			made += strings.Count(string(content), "textinput.New(") + strings.Count(string(content), "textarea.New(")
		}
	}
	if made != 1 {
		t.Errorf("line editors are made in %d places; only newInput leaves the clipboard out", made)
	}
}

// A value that is wider than its room has a mark where some of it is hidden, beside the
// cursor and without it.
func TestLongValueIsMarkedWhereItIsCut(t *testing.T) {
	const value = "fd00:1234:5678:9abc:def0:1234:5678:9abc/64"
	m := New(Options{Glyphs: ASCIIGlyphs(), Theme: PlainTheme()})
	m.resize(40, 12)
	f := m.form
	i := f.index(conntrackd.FieldPeerIP)
	f.inputs[i].SetValue(value)
	wants := func(at int, want string) {
		t.Helper()
		f.inputs[i].SetCursor(at)
		text, x := f.valueText(i)
		if text != want {
			t.Errorf("at %d: %q, want %q", at, text, want)
		}
		if i == f.focus && at < len(value) && text[x] != value[at] {
			t.Errorf("at %d the cursor is on %q, want %q", at, text[x], value[at])
		}
	}
	wants(30, "fd00:1234:5678:9ab...")
	f.focus = i
	wants(0, "fd00:1234:5678:9ab...")
	wants(17, "fd00:1234:5678:9ab...")
	wants(18, "...:1234:5678:9abc...")
	wants(30, "...abc:def0:1234:5...")
	wants(len(value), "...1234:5678:9abc/64")
}
