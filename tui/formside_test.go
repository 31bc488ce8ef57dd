package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// From 100 cells on the link stands beside the form, on a fast line with the help of the
// focused field; below that it stands under it.
func TestLinkStandsBesideAWideForm(t *testing.T) {
	for _, tt := range []struct {
		width  int
		rich   bool
		beside bool
	}{{99, true, false}, {100, true, true}, {100, false, true}, {132, true, true}, {300, false, true}} {
		o := Options{Glyphs: UnicodeGlyphs(), Theme: ThemeOf(tt.rich, tt.rich), Effects: Effects{Linker: &fakeLinker{findings: portClosed}}}
		drive(t, o, tt.width, 24, func(d *driver) {
			d.has(appliance())
			if to := "Checked once interface"; tt.rich && tt.beside != strings.Contains(ansi.Strip(d.content()), to[:7]) {
				t.Errorf("%+v: what is to come:\n%s", tt, ansi.Strip(d.content()))
			}
			d.wait(2 * time.Second)
			d.press("tab", "tab")
			lines := strings.Split(ansi.Strip(d.content()), "\n")
			first := lines[2]
			if got := strings.Contains(first, "Enable Sync") && strings.Contains(first, linkTitle); got != tt.beside {
				t.Errorf("%+v: beside the form: %v\n%s", tt, got, strings.Join(lines, "\n"))
			}
			if got := strings.Contains(strings.Join(lines, "\n"), "The address of this"); got != (tt.rich && tt.beside) {
				t.Errorf("%+v: help beside the form: %v\n%s", tt, got, strings.Join(lines, "\n"))
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > tt.width {
					t.Errorf("%+v: %d cells: %s", tt, w, l)
				}
			}
			for _, field := range d.m.form.fields { // nothing of the form is lost to the other column
				if note := d.m.form.notes[d.m.form.index(field.Field)]; !strings.Contains(strings.Join(lines, "\n"), note) {
					t.Errorf("%+v: %q is cut\n%s", tt, note, strings.Join(lines, "\n"))
				}
			}
		})
	}
}

// A setup asks one question at a time, over the whole width.
func TestSetupHasOneColumn(t *testing.T) {
	setUp(t, &fakeAppliance{}, nil, 132, 43, func(d *driver) {
		if l := d.m.form.layout; l.side != 0 || l.width != 132 {
			t.Errorf("%+v", l)
		}
	})
}
