package conntrackd

import (
	"bytes"
	"regexp"
	"strings"
)

// kind is the class of a token, as read_config_lex.l returns it.
type kind uint8

const (
	kindKeyword   kind = iota // a word of the language that is no value
	kindOn                    // on, yes
	kindOff                   // off, no
	kindNumber                // digits
	kindSigned                // + or - and digits
	kindAddress               // IPv4 or IPv6, with or without /length
	kindPath                  // / and everything to a space, a quote or the end of the line
	kindAlarm                 // the mode ALARM
	kindFTFW                  // the modes FTFW and NACK
	kindNotrack               // the mode NOTRACK
	kindString                // any other word
	kindOpen                  // {
	kindClose                 // }
	kindStray                 // one byte that belongs nowhere
	kindTruncator             // one byte that the daemon takes for the end of the file
)

// token is a piece of the file with everything that stands before it: white
// space, comments. The texts of all tokens, and what stands after the last, are
// the file, byte for byte.
type token struct {
	lead string
	text string
	kind kind
	line int // of the text, from 1
	col  int // of the text, in bytes, from 1
}

// lexer reads tokens as flex does: the longest match, and of equal ones the
// first rule.
type lexer struct {
	src  []byte
	pos  int
	line int
	bol  int // where the line begins
}

// next returns the next token; ok is false at the end, and the token then holds
// what stands before the end in its lead.
func (l *lexer) next() (t token, ok bool) {
	start := l.pos
	l.blank()
	t.lead = string(l.src[start:l.pos])
	t.line, t.col = l.line, l.pos-l.bol+1
	if l.pos == len(l.src) {
		return t, false
	}
	n, k := match(l.src[l.pos:])
	t.text, t.kind = string(l.src[l.pos:l.pos+n]), k
	l.pos += n // no token contains a newline
	return t, true
}

// blank skips white space and comments. A comment that no newline ends is not
// one: flex's $ needs the newline.
func (l *lexer) blank() {
	for l.pos < len(l.src) {
		switch l.src[l.pos] {
		case '\n':
			l.line++
			l.bol = l.pos + 1
		case ' ', '\t', '\r':
		case '#':
			n := bytes.IndexByte(l.src[l.pos:], '\n')
			if n < 0 {
				return
			}
			l.pos += n
			continue
		default:
			return
		}
		l.pos++
	}
}

// match returns the length and class of the token at the beginning of s, which
// is not empty and begins with no white space.
func match(s []byte) (int, kind) {
	switch c := s[0]; {
	case c == '{':
		return 1, kindOpen
	case c == '}':
		return 1, kindClose
	case c == 0 || c >= 0x80:
		// Returned as a char, these are zero or negative: bison's end of file.
		return 1, kindTruncator
	case c == '/':
		n := bytes.IndexAny(s, "\"\n ")
		if n < 0 {
			n = len(s)
		}
		return n, kindPath
	}
	best, class := 1, kindStray
	try := func(n int, k kind) {
		if n > best || n == best && n > 0 && class == kindStray {
			best, class = n, k
		}
	}
	// In the order of the rules, for the first of equal length wins.
	word := span(s, isStringByte)
	if !isLetter(s[0]) {
		word = 0
	}
	_, keyword := keywords[string(s[:min(word, longestKeyword)])]
	if keyword && word <= longestKeyword {
		try(word, kindKeyword)
	}
	for _, c := range cased {
		if c.kind == kindOn || c.kind == kindOff {
			try(c.match(s), c.kind)
		}
	}
	try(span(s, isDigit), kindNumber)
	if s[0] == '+' || s[0] == '-' {
		if n := span(s[1:], isDigit); n > 0 {
			try(n+1, kindSigned)
		}
	}
	try(matchAddress(s), kindAddress)
	for _, c := range cased {
		try(c.match(s), c.kind)
	}
	try(word, kindString)
	return best, class
}

// casedWord is a word whose letters may be of either case. Each letter is a
// bracket expression such as [o|O], so that a bar passes for it, too.
type casedWord struct {
	letters string
	kind    kind
}

var cased = []casedWord{
	{"on", kindOn}, {"yes", kindOn}, {"off", kindOff}, {"no", kindOff},
	{"alarm", kindAlarm}, {"persistenT", kindAlarm}, // [T|T]: the last letter has one case
	{"ftfw", kindFTFW}, {"nack", kindFTFW}, {"notrack", kindNotrack},
}

func (w casedWord) match(s []byte) int {
	if len(s) < len(w.letters) {
		return 0
	}
	for i := range len(w.letters) {
		c, want := s[i], w.letters[i]
		if c != want && c != '|' && !(want >= 'a' && c == want-'a'+'A') {
			return 0
		}
	}
	return len(w.letters)
}

var (
	ip4Pattern = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(/[0-9]+)?`)
	ip6Pattern = func() *regexp.Regexp {
		const hex, cidr = `[0-9a-fA-F]{1,4}`, `(/[0-9]+)?`
		re := regexp.MustCompile(`^((` + hex + `:?){0,7}::(` + hex + `:?){0,7}|(` + hex + `:){0,7}` + hex + `)` + cidr)
		re.Longest()
		return re
	}()
)

// matchAddress is the rules ip4 and ip6. Up to four hexadecimal digits are an
// IPv6 address, too.
func matchAddress(s []byte) int {
	n := 0
	if isDigit(s[0]) {
		n = len(ip4Pattern.Find(s))
	}
	run := span(s, func(c byte) bool { return isHexDigit(c) || c == ':' })
	if bytes.IndexByte(s[:run], ':') >= 0 {
		return max(n, len(ip6Pattern.Find(s)))
	}
	hex := min(run, 4)
	if hex > 0 && hex < len(s) && s[hex] == '/' {
		if d := span(s[hex+1:], isDigit); d > 0 {
			hex += 1 + d
		}
	}
	return max(n, hex)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func span(s []byte, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// classify returns the class of s as one whole word; a text that the daemon
// splits into several tokens is kindStray.
func classify(s string) kind {
	if s == "" || strings.ContainsAny(s[:1], " \t\r\n#") {
		return kindStray
	}
	n, k := match([]byte(s))
	if n != len(s) {
		return kindStray
	}
	return k
}
