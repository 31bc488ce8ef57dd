package conntrackd

import (
	"regexp"
	"strings"
	"sync"
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
	src  string
	pos  int
	line int
	bol  int // where the line begins
	// lastLine is known once no newline was found ahead, so that a line of
	// nothing but # is not searched at each of them.
	lastLine bool
}

// next returns the next token; ok is false at the end, and the token then holds
// what stands before the end in its lead.
func (l *lexer) next() (t token, ok bool) {
	start := l.pos
	l.blank()
	t.lead = l.src[start:l.pos]
	t.line, t.col = l.line, l.pos-l.bol+1
	if l.pos == len(l.src) {
		return t, false
	}
	n, k := match(l.src[l.pos:])
	t.text, t.kind = l.src[l.pos:l.pos+n], k
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
			if l.lastLine {
				return
			}
			n := strings.IndexByte(l.src[l.pos:], '\n')
			if n < 0 {
				l.lastLine = true
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
func match(s string) (int, kind) {
	switch c := s[0]; {
	case c == '{':
		return 1, kindOpen
	case c == '}':
		return 1, kindClose
	case c == 0 || c >= 0x80:
		// Returned as a char, these are zero or negative: bison's end of file.
		return 1, kindTruncator
	case c == '/':
		n := strings.IndexAny(s, "\"\n ")
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
	word := 0
	if isLetter(s[0]) {
		word = span(s, isStringByte)
	}
	_, keyword := keywords[s[:min(word, longestKeyword)]]
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

func (w casedWord) match(s string) int {
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

// longestIP6 is more than the rule ip6 can match, without its prefix length.
const longestIP6 = 80

var ip6Pattern = sync.OnceValue(func() *regexp.Regexp {
	const hex = `[0-9a-fA-F]{1,4}`
	re := regexp.MustCompile(`^((` + hex + `:?){0,7}::(` + hex + `:?){0,7}|(` + hex + `:){0,7}` + hex + `)`)
	re.Longest()
	return re
})

// matchAddress is the rules ip4 and ip6. Up to four hexadecimal digits are an
// IPv6 address, too.
func matchAddress(s string) int {
	return max(matchIP4(s), matchIP6(s))
}

func matchIP4(s string) int {
	n := 0
	for i := range 4 {
		if i > 0 {
			if n == len(s) || s[n] != '.' {
				return 0
			}
			n++
		}
		digits := span(s[n:], isDigit)
		if digits == 0 {
			return 0
		}
		n += digits
	}
	return n + matchLength(s[n:])
}

func matchIP6(s string) int {
	near := s[:min(len(s), longestIP6)]
	run := span(near, func(c byte) bool { return isHexDigit(c) || c == ':' })
	n := min(run, 4)
	if strings.IndexByte(s[:run], ':') >= 0 {
		n = len(ip6Pattern().FindString(near[:run]))
	}
	if n == 0 {
		return 0
	}
	return n + matchLength(s[n:])
}

// matchLength is the prefix length that may follow an address.
func matchLength(s string) int {
	if len(s) < 2 || s[0] != '/' {
		return 0
	}
	if n := span(s[1:], isDigit); n > 0 {
		return 1 + n
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func span(s string, in func(byte) bool) int {
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
	n, k := match(s)
	if n != len(s) {
		return kindStray
	}
	return k
}
