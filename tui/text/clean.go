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
// to show on one line: whole escape sequences, control characters (C0, DEL,
// C1), bidirectional controls, other invisible characters and bytes that are
// not UTF-8 are removed, tabs and line ends become one space, and what is
// longer than 512 characters is cut.
func Clean(s string) string {
	if len(s) > 4*CleanMax {
		s = s[:4*CleanMax]
	}
	if PlainASCII(s) {
		return cut(s, CleanMax)
	}
	s = ansi.Strip(strings.ToValidUTF8(s, ""))
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == CleanMax {
			break
		}
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			r = ' '
		case r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r):
			continue
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
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

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
