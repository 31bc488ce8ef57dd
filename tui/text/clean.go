package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// CleanMax bounds what Clean returns, in runes. Nothing that is shown on one
// line is longer; a hostile alias or log line may be a megabyte.
const CleanMax = 512

// Clean makes text from outside (an interface alias, a log line, a file) safe
// to show on one line, see [Whole]; what is longer than 512 characters is cut.
func Clean(s string) string {
	s = Whole(s[:min(len(s), 4*CleanMax)])
	n := 0
	for i := range s {
		if n == CleanMax {
			return s[:i]
		}
		n++
	}
	return s
}

// Whole is [Clean] without the cut, for what is useless without its end, such as a value
// to type: whole escape sequences, control characters (C0, DEL, C1), bidirectional
// controls, other invisible characters and bytes that are not UTF-8 are removed, tabs and
// line ends become one space.
func Whole(s string) string {
	if PlainASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, ansi.Strip(strings.ToValidUTF8(s, "")))
}

// diffLineMax bounds what is shown of one line of a diff, in bytes.
const diffLineMax = 2048

// DiffLine makes a line of a diff safe to show. What changes is shown whole, with cut behind
// it where it has more than 2048 bytes. A line that stays is cut as by [Clean].
func DiffLine(line, cut string) string {
	shown := Whole(strings.ReplaceAll(line[:min(len(line), diffLineMax)], "\t", "    "))
	if !strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "-") {
		return Clean(shown)
	}
	if len(line) > diffLineMax {
		shown += cut
	}
	return shown
}

// PlainASCII reports whether s is printable ASCII, as nearly everything is.
func PlainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
