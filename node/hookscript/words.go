package hookscript

import (
	"regexp"
	"strings"
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

var dollar = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*|[0-9])|\{([A-Za-z_][A-Za-z0-9_]*|[0-9]+)\})`)

// expand is what a word becomes: none, one or more. False where that is not known.
func (r *run) expand(t token) (words []string, known bool) {
	switch t.raw {
	case `"$@"`, `$@`, `$*`, `"${@}"`, `${@}`:
		return r.arguments, true
	}
	text, quoted, known := r.substitute(t.raw, false)
	if !known {
		return nil, false
	}
	if quoted {
		return []string{text}, true
	}
	return strings.Fields(text), true
}

// pattern is a word of a case for [path.Match], with what is quoted as it stands.
func (r *run) pattern(t token) (string, bool) {
	text, _, known := r.substitute(t.raw, true)
	return text, known
}

// substitute takes the quotes of a word off and puts in the values of its parameters.
// literal escapes what is quoted or comes from one for a pattern.
func (r *run) substitute(raw string, literal bool) (text string, quoted, known bool) {
	var b strings.Builder
	add := func(s string) {
		if literal {
			s = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
		}
		b.WriteString(s)
	}
	var quote byte
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case quote == '\'' && c != '\'':
			add(raw[i : i+1])
		case c == '`', c == '~' && i == 0:
			return "", false, false
		case c == '\\':
			if i++; i == len(raw) {
				return "", false, false
			}
			quoted = true
			add(raw[i : i+1])
		case c == '$':
			m := dollar.FindStringSubmatch(raw[i:])
			if m == nil {
				return "", false, false
			}
			got, known := r.parameter(m[1] + m[2])
			if !known {
				return "", false, false
			}
			add(got)
			i += len(m[0]) - 1
		case quote == c:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, quoted = c, true
		case quote != 0:
			add(raw[i : i+1])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), quoted, true
}
