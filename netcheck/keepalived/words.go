package keepalived

import "strings"

// fields cuts a line into words: at white space, with " and ' around what
// belongs together, up to a comment. Braces are words of their own.
func fields(s string) []string {
	var words []string
	var word strings.Builder
	open, quoted := byte(0), false
	var before parameter
	end := func() {
		if word.Len() > 0 || quoted {
			words = append(words, word.String())
		}
		word.Reset()
		quoted = false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case open != 0 && c == open:
			open = 0
		case c == '\\' && i+1 < len(s) && (open != 0 || s[i+1] != '#' && s[i+1] != '!'):
			i++
			word.WriteByte(s[i])
		case open != 0:
			word.WriteByte(c)
		case c == '\\':
		case c == '"' || c == '\'':
			open, quoted = c, true
		case c == '#' || c == '!':
			end()
			return words
		case c == ' ' || c == '\t':
			end()
		case (c == '{' || c == '}') && !before.inside(s, i):
			end()
			words = append(words, string(c))
		default:
			word.WriteByte(c)
		}
	}
	end()
	return words
}

// parameter looks for a "${NAME}" in a line, from its beginning on.
type parameter struct {
	read   int  // bytes that were looked at
	dollar int  // where what follows the last $ begins; zero where there is none
	ended  bool // something after that $ ended the name
}

// inside says that what comes at i belongs to "${NAME}", which stands where no such
// parameter is defined. i never goes back.
func (p *parameter) inside(s string, i int) bool {
	for ; p.read < i; p.read++ {
		switch s[p.read] {
		case '$':
			p.dollar, p.ended = p.read+1, false
		case '}', ' ', '\t':
			p.ended = true
		}
	}
	return p.dollar > 0 && (p.dollar == i || s[p.dollar] == '{' && !p.ended)
}

// split cuts a command into program and arguments: at white space, with ' or "
// around what belongs together.
func split(s string) []string {
	var words []string
	var word strings.Builder
	open, any := rune(0), false
	for _, c := range s {
		switch {
		case c == open:
			open = 0
		case open == 0 && (c == '\'' || c == '"'):
			open, any = c, true
		case open == 0 && (c == ' ' || c == '\t'):
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(c)
			any = true
		}
	}
	if any {
		words = append(words, word.String())
	}
	return words
}
