package hookscript

import (
	"regexp"
	"strings"
	"sync"
)

// token is an operator, or a word as it stands in the script.
type token struct {
	op  string // blank for a word; "end" behind the last one
	raw string
}

func (t token) redirects() bool { return strings.HasPrefix(t.op, "<") || strings.HasPrefix(t.op, ">") }

// operators in the order in which they are tried.
var operators = []string{"<<<", "<<-", ";;", "&&", "||", "<<", ">>", "<&", ">&", ">|", "<>", "\n", ";", "&", "|", "(", ")", "<", ">"}

// lex cuts a script into words and operators; false where a quote does not end.
func lex(script string) (tokens []token, ok bool) {
	for script != "" {
		switch {
		case strings.HasPrefix(script, "\\\n"):
			script = script[2:]
			continue
		case script[0] == ' ' || script[0] == '\t' || script[0] == '\r':
			script = script[1:]
			continue
		case script[0] == '#':
			script = script[len(before(script, '\n')):]
			continue
		}
		if op := operator(script); op != "" {
			tokens = append(tokens, token{op: op})
			script = script[len(op):]
			continue
		}
		n := wordLength(script)
		if n <= 0 {
			return nil, false
		}
		word := strings.ReplaceAll(script[:n], "\\\n", "")
		if word != script[:n] && strings.Contains(word, "'") {
			return nil, false // in these quotes it stays
		}
		script = script[n:]
		if strings.Trim(word, "0123456789") == "" && script != "" && (script[0] == '<' || script[0] == '>') {
			continue // a descriptor
		}
		tokens = append(tokens, token{raw: word})
	}
	return tokens, true
}

func before(s string, end byte) string {
	if i := strings.IndexByte(s, end); i >= 0 {
		return s[:i]
	}
	return s
}

func operator(script string) string {
	for _, op := range operators {
		if strings.HasPrefix(script, op) {
			return op
		}
	}
	return ""
}

// wordLength is how long the word is that the script begins with; negative where a quote
// in it does not end.
func wordLength(script string) int {
	depth := 0 // of $( and ${
	var quote byte
	for i := 0; i < len(script); i++ {
		c := script[i]
		switch {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '$' && i+1 < len(script) && (script[i+1] == '(' || script[i+1] == '{'):
			depth++
			i++
		case depth > 0:
			switch c {
			case '(', '{':
				depth++
			case ')', '}':
				depth--
			}
		case c == ' ' || c == '\t' || c == '\r' || operator(script[i:]) != "":
			return i
		}
	}
	if quote != 0 || depth != 0 {
		return -1
	}
	return len(script)
}

var dollar = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*|[0-9])|\{([A-Za-z_][A-Za-z0-9_]*|[0-9]+)\})`)
})

// expand is what a word of a command becomes: none, one or more. False where that is not
// known, as of a pattern that files may fit.
func (r *run) expand(t token) (words []string, known bool) {
	switch t.raw {
	case `"$@"`, `"${@}"`:
		return r.arguments, true
	case `$@`, `$*`, `${@}`, `${*}`: // each is split
		for _, a := range r.arguments {
			if strings.ContainsAny(a, "*?[") {
				return nil, false
			}
			words = append(words, strings.Fields(a)...)
		}
		return words, true
	}
	x, known := r.substitute(t.raw, false)
	switch {
	case !known, x.globs, x.braced, x.quoted && x.splits:
		return nil, false
	case x.quoted:
		return []string{x.text}, true
	}
	return strings.Fields(x.text), true
}

// assigned is the word of a case, or what a variable gets: nothing splits that.
func (r *run) assigned(raw string) (text string, known bool) {
	x, known := r.substitute(raw, false)
	return x.text, known && !strings.Contains(raw, "~")
}

// pattern is a word of a case for [path.Match], with what is quoted as it stands. False
// for what the two read otherwise.
func (r *run) pattern(t token) (text string, known bool) {
	x, known := r.substitute(t.raw, true)
	return x.text, known && !x.active && !strings.Contains(t.raw, "[!") && !strings.Contains(t.raw, "[^") &&
		!strings.Contains(t.raw, "[[") && !(x.quoted && strings.Contains(t.raw, "["))
}

// expansion is a word with the values of its parameters.
type expansion struct {
	text   string
	quoted bool // a part of it is
	splits bool // a value outside of quotes has blanks, or none of it is left
	active bool // such a value is a pattern
	globs  bool // the word is one
	braced bool // bash makes several words of it
}

// substitute takes the quotes of a word off and puts in the values of its parameters.
// literal escapes what is quoted or comes from one for a pattern.
func (r *run) substitute(raw string, literal bool) (x expansion, known bool) {
	var b strings.Builder
	add := func(s string) {
		if literal {
			s = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
		}
		b.WriteString(s)
	}
	var quote byte
	open := false // a bracket outside of quotes
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case quote == '\'' && c != '\'':
			add(raw[i : i+1])
		case c == '`', c == '~' && i == 0:
			return x, false
		case c == '\\' && i+1 == len(raw):
			return x, false
		case c == '\\' && quote == '"' && !strings.ContainsRune("$`\"\\", rune(raw[i+1])):
			add(`\`)
		case c == '\\':
			i++
			x.quoted = true
			add(raw[i : i+1])
		case c == '$':
			m := dollar().FindStringSubmatch(raw[i:])
			if m == nil {
				return x, false
			}
			got, known := r.parameter(m[1] + m[2])
			if !known {
				return x, false
			}
			if quote == 0 {
				x.splits = x.splits || strings.ContainsAny(got, " \t\n") || got == ""
				x.active = x.active || strings.ContainsAny(got, `*?[\`)
			}
			add(got)
			i += len(m[0]) - 1
		case quote == c:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, x.quoted = c, true
		case quote != 0:
			add(raw[i : i+1])
		default:
			open = open || c == '['
			x.globs = x.globs || c == '*' || c == '?' || open && c == ']'
			x.braced = x.braced || c == '{'
			b.WriteByte(c)
		}
	}
	x.text, x.globs = b.String(), x.globs || x.active
	return x, true
}
