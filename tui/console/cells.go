package console

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// cell is one place on the screen. The zero value is the right half of a
// character that is two cells wide.
type cell struct {
	text  string // one character as a person sees it
	style string // the parameters of its SGR sequence; blank is plain
}

var blank = cell{text: " "}

// grid is a screen, a row each. All rows are equally long.
type grid [][]cell

func newGrid(width, height int) grid {
	g := make(grid, height)
	for y := range g {
		g[y] = make([]cell, width)
		clearCells(g[y])
	}
	return g
}

func clearCells(row []cell) {
	for x := range row {
		row[x] = blank
	}
}

// parse lays text out on a screen: lines end with LF, what does not fit is cut
// off, and of all sequences only those that set a style count, so that nothing
// else can ever be sent. With ascii, other characters become question marks.
func parse(text string, width, height int, ascii bool) grid {
	g := newGrid(width, height)
	style := ""
	for y, line := range strings.SplitN(text, "\n", height+1) {
		if y == height {
			break
		}
		style = parseLine(g[y], line, style, ascii)
	}
	return g
}

// parseLine fills a row and returns the style that is in force after it.
func parseLine(row []cell, line, style string, ascii bool) string {
	var state byte
	for x := 0; line != ""; {
		seq, width, n, next := ansi.DecodeSequence(line, state, nil)
		if width > 0 && !isText(seq) {
			seq, width, n, next = "?", 1, 1, 0
		}
		state, line = next, line[n:]
		if width == 0 {
			style = restyle(style, seq)
			continue
		}
		if ascii && (len(seq) > 1 || seq[0] > '~') {
			seq = "?"
		}
		for i := range width {
			switch {
			case x >= len(row):
			case i == 0 && x+width <= len(row):
				row[x] = cell{seq, style}
			case seq == "?" || x+width-i > len(row): // no half characters at the edge
				row[x] = cell{"?", style}
			default:
				row[x] = cell{"", style}
			}
			x++
		}
	}
	return style
}

// isText says whether a terminal can take s as characters. Bytes that are not
// UTF-8 are not: a terminal may take a lead byte, cut off, together with what is
// sent after it.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// restyle is the style after seq (SGR, ECMA-48 8.3.117).
func restyle(style, seq string) string {
	params, ok := strings.CutPrefix(seq, "\x1b[")
	if !ok || !strings.HasSuffix(params, "m") {
		return style
	}
	params = strings.TrimSuffix(params, "m")
	if strings.Trim(params, "0123456789;") != "" {
		return style
	}
	switch {
	case params == "" || params == "0":
		return ""
	case style == "":
		return params
	}
	return style + ";" + params
}
