package tui

import "strings"

// Glyphs are the signs on the screen that are not words. Every character
// outside ASCII that the program itself draws is in this file.
type Glyphs struct {
	ASCII    bool // nothing outside ASCII may be sent, whatever it comes from
	Rule     string
	Line     string // between two columns
	Mark     string // before what has the focus
	On, Off  string // a radio button
	Changed  string // a field that differs from what is saved
	Bad      string // a field that cannot be used
	Ellipsis string
	Arrow    string
	// Plot are the steps of a bar one cell wide, from nothing to full.
	Plot []string
	// Spinner are the pictures of a spinner; none where nothing may move.
	Spinner []string
}

// ASCIIGlyphs is the set for serial lines, and for a locale without UTF-8.
func ASCIIGlyphs() Glyphs {
	return Glyphs{
		ASCII: true, Rule: "-", Line: "|", Mark: ">", On: "(*)", Off: "( )", Changed: "*", Bad: "!",
		Ellipsis: "...", Arrow: "->", Plot: strings.Split(" .:-=+*#", ""),
	}
}

// UnicodeGlyphs is the set for a terminal that is known to take UTF-8. It
// keeps to characters that the fonts of the Linux console have too.
func UnicodeGlyphs() Glyphs {
	return Glyphs{
		Rule: "─", Line: "│", Mark: "›", On: "(•)", Off: "( )", Changed: "•", Bad: "!",
		Ellipsis: "…", Arrow: "→", Plot: strings.Split(" ▁▂▃▄▅▆▇█", ""), Spinner: strings.Split(`|/-\`, ""),
	}
}
