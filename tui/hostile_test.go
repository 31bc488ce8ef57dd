package tui

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile is what a file, a log line or an alias might hold: escape sequences
// in their forms, NUL, bells, C1 controls, broken UTF-8, text that turns the
// direction round, and a line of a megabyte.
var hostile = "start\x1b[2J\x1b]0;owned\x07\x1bP+q\x1b\\ \x00\x07\x08\x0c\x7f\u009b31m\xff\xfe\u202e\u200b\r\x1b[1;1Hgone " +
	strings.Repeat("A", 1<<20) + "\x1b[31m"

// checkHostile drives a screen that was fed hostile text, at every size and in
// both sets of glyphs, through all its scrolling, and looks at what is drawn.
func checkHostile(t *testing.T, effects Effects, do func(*driver)) {
	t.Helper()
	for _, g := range []Glyphs{ASCIIGlyphs(), UnicodeGlyphs()} {
		for _, size := range goldenSizes {
			drive(t, Options{Glyphs: g, Effects: effects}, size.width, size.height, func(d *driver) {
				do(d)
				sawStart := false
				for range 40 {
					content := d.content()
					sawStart = sawStart || strings.Contains(content, "start")
					checkClean(t, content, g.ASCII, size.width)
					checkClean(t, d.top().view(), g.ASCII, size.width)
					d.press("down")
				}
				if !sawStart {
					t.Errorf("the text was never in sight:\n%s", d.content())
				}
			})
		}
	}
}

// checkClean fails on anything that a terminal would not just show.
func checkClean(t *testing.T, content string, ascii bool, width int) {
	t.Helper()
	if !utf8.ValidString(content) {
		t.Fatal("not UTF-8")
	}
	for line := range strings.SplitSeq(content, "\n") {
		if n := utf8.RuneCountInString(line); n > width {
			t.Fatalf("a line of %d on a screen of %d: %q", n, width, line)
		}
		for _, r := range line {
			if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e || r == 0x200b || ascii && r > '~' {
				t.Fatalf("%U in %q", r, line)
			}
		}
	}
}
