package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

// A command breaks at spaces only, unless a word is longer than the line.
func TestWrapKeepsFlagsWhole(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"connsync apply --interface eth1 --current-ip 10.0.0.102/24", 40, []string{"connsync apply --interface eth1", "--current-ip 10.0.0.102/24"}},
		{"run nft --file now", 9, []string{"run nft", "--file", "now"}},
		{"a well-known-and-long-word", 10, []string{"a", "well-known", "-and-long-", "word"}},
		{"\u00e9t\u00e9 --yes", 8, []string{"\u00e9t\u00e9", "--yes"}},
	} {
		if diff := cmp.Diff(tt.want, wrap(tt.text, tt.width)); diff != "" {
			t.Errorf("%q in %d cells (-want +got):\n%s", tt.text, tt.width, diff)
		}
	}
}

// What a save changes is shown to its last character, on a screen of any width; what stays as it
// was may be cut.
func TestChangedLinesAreShownWhole(t *testing.T) {
	path := "\tPath /srv/" + strings.Repeat("appliance/", 20) + "conntrackd.ctl"
	wide := "\t# " + strings.Repeat("同期リンク ", 30) + "end"
	list := "\tIPv4_address { " + strings.Repeat("192.168.100.100 ", 60) + "end }"
	for _, glyphs := range []Glyphs{ASCIIGlyphs(), UnicodeGlyphs()} {
		e := &env{glyphs: glyphs, theme: PlainTheme()}
		for _, width := range []int{1, 10, 20, 40, 79, 80, 81, 200, 500, diffWidth} {
			for _, raw := range []string{path, wide, list, "short", ""} {
				for _, sign := range []string{"+", "-"} {
					rows := e.diffLines("--- a\n+++ b\n@@ -1 +1 @@\n"+sign+raw+"\n", width)[1:]
					got := ""
					for i, row := range rows {
						if w := ansi.StringWidth(row); w > width {
							t.Errorf("a row of %d cells on a screen of %d: %q", w, width, row)
						}
						if i > 0 {
							got = strings.TrimSuffix(got, glyphs.Ellipsis)
							row = strings.TrimPrefix(row, " "+sign+glyphs.Ellipsis)
						}
						got += row
					}
					if want := " " + sign + e.fitting(strings.ReplaceAll(raw, "\t", "    ")); width >= 20 && got != want {
						t.Errorf("%d cells: %q is shown as\n%s", width, raw, strings.Join(rows, "\n"))
					}
				}
			}
		}
	}
}
