package keepalived

import "strings"

// uncommented is a line without its comment: from a # or ! on that does not stand in
// double quotes. A backslash before one counts for nothing outside of them; one at the end
// of the line stays, since the next line belongs to this one. It is taken off before
// parameters are looked at, which a comment may name too.
func uncommented(s string) string {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && (quoted || i+1 == len(s) || s[i+1] != '#' && s[i+1] != '!'):
			i++
		case !quoted && (c == '#' || c == '!' || c == '\\'):
			kept := strings.TrimRight(s[:i], " \t")
			if strings.HasSuffix(s, `\`) {
				kept += `\`
			}
			return kept
		}
	}
	return s
}

// fields cuts a line into words: at white space, with " and ' around what
// belongs together, up to a comment. Braces are words of their own. A line with a
// quote that does not end has none. The words of a script keep their escapes where
// keepalived reads them once, in split.
func fields(s string, escapesOnce bool) []string {
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
		kept := escapesOnce && len(words) > 0 && Event(words[0]).read()
		switch {
		case open != 0 && c == open:
			open = 0
		case open == '\'' && (c == '#' || c == '!'):
			return nil // a comment even so, and the quote does not end
		case c == '\\' && i+1 < len(s) && kept && (open != 0 || s[i+1] != '#' && s[i+1] != '!'):
			word.WriteString(s[i : i+2])
			i++
		case c == '\\' && i+1 < len(s) && open != 0:
			text, n := unescape(s[i+1:])
			word.WriteString(text)
			i += n
		case c == '\\' && i+1 < len(s) && s[i+1] != '#' && s[i+1] != '!':
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
	if open != 0 {
		return nil // keepalived says that the quote does not end, and passes over the line
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

// split cuts a command into program and arguments as keepalived does, which has
// taken the quotes of the line away before, and its escapes too unless it reads them
// once: at white space, with ' or " around what belongs together, and with escapes.
func split(s string) []string {
	var words []string
	var word strings.Builder
	open, any := byte(0), false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			text, n := unescape(s[i+1:])
			word.WriteString(text)
			i += n
			any = true
		case open != 0 && c == open:
			open = 0
		case open == 0 && (c == '\'' || c == '"'):
			open, any = c, true
		case open == 0 && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteByte(c)
			any = true
		}
	}
	if any {
		words = append(words, word.String())
	}
	return words
}

// unescape reads what follows a backslash, which is not blank, and returns how many
// bytes it took (keepalived's parser.c).
func unescape(s string) (text string, n int) {
	digits := func(from, most, base int) (string, int) {
		value, end := 0, from
		for end < len(s) && end-from < most {
			d := strings.IndexByte("0123456789abcdef", s[end]|0x20)
			if d < 0 || d >= base {
				break
			}
			value, end = value*base+d, end+1
		}
		return string([]byte{byte(value)}), end
	}
	simple := map[byte]string{'a': "\a", 'b': "\b", 'E': "\x1b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}
	switch c := s[0]; {
	case c == 'x' && len(s) > 1 && strings.IndexByte("0123456789abcdef", s[1]|0x20) >= 0:
		return digits(1, 2, 16)
	case c == 'c' && len(s) > 1:
		return string([]byte{s[1] & 0x1f}), 2
	case c >= '0' && c <= '7':
		return digits(0, 3, 8)
	case simple[c] != "":
		return simple[c], 1
	default:
		return s[:1], 1
	}
}
