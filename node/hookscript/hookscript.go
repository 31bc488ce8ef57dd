// Package hookscript reads shell scripts as far as it has to, to tell what an operator's
// own hook of keepalived runs. It runs nothing.
package hookscript

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// shebang is the first line of a script that a Bourne shell runs.
var shebang = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^#![ \t]*(/\S*/env[ \t]+)?(/\S*/)?(ba|da|a|k|z)?sh([ \t]|\n)`)
})

// Command returns the words behind the last command of that name which the script runs
// when it gets the arguments. It is ok where that is certain: what stands in a condition, a
// loop, a function or another construct that is not followed may run or not, and nor is it
// known then what a variable has. Nil words beside ok mean that it runs none.
func Command(content, name string, arguments []string) (words []string, ok bool) {
	if !shebang().MatchString(content) {
		return nil, false
	}
	tokens, ok := lex(content)
	if !ok {
		return nil, false
	}
	r := &run{tokens: tokens, name: name, arguments: arguments, variables: map[string]value{}}
	ok = r.statements(0)
	return r.found, ok
}

// RunsRest says whether a program does no more than to run the command behind its own
// options.
func RunsRest(program string) bool {
	return slices.Contains([]string{"env", "nice", "ionice", "timeout", "setsid", "chrt", "taskset", "sudo"}, filepath.Base(program))
}

// maxDepth is of "case" within "case".
const maxDepth = 20

// run is a script as it runs.
type run struct {
	tokens    []token
	at        int
	name      string
	arguments []string
	variables map[string]value
	found     []string
	ended     bool // by exit or exec
}

// value is what a variable has, which may not be known.
type value struct {
	text  string
	known bool
}

func (r *run) next() token {
	if r.at >= len(r.tokens) {
		return token{op: "end"}
	}
	return r.tokens[r.at]
}

// statements runs statements to the end of the script or of the branch of a case. False
// means that what runs is not known from there on.
func (r *run) statements(depth int) bool {
	for !r.ended {
		switch t := r.next(); {
		case t.op == "end":
			return depth == 0
		case t.op == "\n" || t.op == ";" || t.op == "&":
			r.at++
		case t.op == ";;" || t.raw == "esac":
			return depth > 0
		case t.op != "":
			return false
		case t.raw == "case":
			if depth == maxDepth || !r.choose(depth+1) {
				return false
			}
		case t.raw == "if":
			if !r.passOver() {
				return false
			}
		case keyword(t.raw) || !r.simple():
			return false
		}
	}
	return true
}

// keyword says that a word begins what is not followed.
func keyword(word string) bool {
	return slices.Contains([]string{"while", "until", "for", "select", "function", "{", "}", "!", "[[", ".", "source", "eval", "return", "trap",
		"then", "fi", "do", "done", "else", "elif", "in", "read", "unset", "local", "declare", "typeset", "getopts", "alias", "command", "builtin", "coproc", "time", "let", "mapfile", "readarray", "shopt", "hash", "enable"}, word)
}

// passOver skips an if that has no part in what runs: neither the command nor an end nor
// a value is in it.
func (r *run) passOver() bool {
	depth, first := 0, true // at the first word of a command
	for ; ; r.at++ {
		t := r.next()
		switch {
		case t.op == "end" || t.op == "(" || strings.HasPrefix(t.op, "<<"):
			return false
		case t.op != "":
			first = true
			continue
		case strings.Contains(t.raw, r.name), strings.Contains(t.raw, "failover"):
			return false
		case !first:
			continue
		}
		_, _, assigns := assignment(t.raw)
		switch {
		case t.raw == "if":
			depth++
		case t.raw == "fi":
			if depth--; depth == 0 {
				r.at++
				return true
			}
		case assigns, t.raw == "case", slices.Contains([]string{"exit", "exec", "shift", "set", "export", "readonly"}, t.raw):
			return false
		case slices.Contains([]string{"then", "else", "elif"}, t.raw):
			continue // a command follows
		case keyword(t.raw):
			return false
		}
		first = t.raw == "if"
	}
}

// choose runs the branch of a case that its word leads to.
func (r *run) choose(depth int) bool {
	r.at++
	subject := r.next()
	r.at++
	for r.next().op == "\n" {
		r.at++
	}
	word, known := r.assigned(subject.raw)
	if subject.op != "" || !known || r.next().raw != "in" {
		return false
	}
	r.at++
	for chosen := false; ; {
		for op := r.next().op; op == "\n" || op == ";;" || op == "("; op = r.next().op {
			r.at++
		}
		if r.next().raw == "esac" {
			r.at++
			return true
		}
		fits, ok := r.patterns(word)
		switch {
		case !ok:
			return false
		case fits && !chosen:
			chosen = true
			if !r.statements(depth) {
				return false
			}
			if r.ended {
				return true
			}
		case !r.skipBranch():
			return false
		}
	}
}

// patterns reads those of a branch and says whether the word fits one.
func (r *run) patterns(word string) (fits, ok bool) {
	for {
		t := r.next()
		if t.op != "" {
			return false, false
		}
		pattern, known := r.pattern(t)
		// To a case a slash is as any other character.
		match, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(word, "/", "\x00"))
		if !known || err != nil {
			return false, false
		}
		fits = fits || match
		r.at++
		switch r.next().op {
		case "|":
			r.at++
		case ")":
			r.at++
			return fits, true
		default:
			return false, false
		}
	}
}

// skipBranch goes to the end of a branch that does not run.
func (r *run) skipBranch() bool {
	depth, first := 0, true
	for ; ; r.at++ {
		switch t := r.next(); {
		case t.op == "end", t.op == ";" && r.at+1 < len(r.tokens) && r.tokens[r.at+1].op == "&": // bash goes on in the next branch
			return false
		case t.op == ";;" && depth == 0, first && t.raw == "esac" && depth == 0:
			return true
		case first && t.raw == "esac":
			depth--
		case first && t.raw == "case":
			depth++
		}
		// Behind "then" and the like a command begins, too.
		op := r.next()
		first = op.op != "" || slices.Contains([]string{"then", "else", "do", "{", "!"}, op.raw)
	}
}

// simple runs a command and what is joined to it by && and the like.
func (r *run) simple() bool {
	var first []token
	joined := false // behind the first command of a list or pipe
	for ; ; r.at++ {
		t := r.next()
		switch {
		case t.op == "&" && changesShell(first):
			return false // it runs beside the script
		case t.op == "end", t.op == "\n", t.op == ";", t.op == ";;", t.op == "&":
			return r.command(first)
		case t.op == "|" && changesShell(first):
			return false
		case t.op == "&&" || t.op == "||" || t.op == "|":
			joined = true
		case t.redirects():
			if t.op == "<<" || t.op == "<<<" || t.op == "<<-" {
				return false
			}
			r.at++ // its file
			if r.next().op != "" {
				return false
			}
		case t.op != "":
			return false
		case joined:
			if _, _, assigns := assignment(t.raw); assigns || strings.Contains(t.raw, r.name) || keyword(t.raw) ||
				slices.Contains([]string{"exit", "exec", "shift", "set", "if", "case"}, t.raw) || strings.ContainsAny(t.raw, "$`") && strings.Contains(t.raw, "failover") {
				return false
			}
		default:
			first = append(first, t)
		}
	}
}

// changesShell says that a command changes the script's own process, or ends it.
func changesShell(tokens []token) bool {
	if len(tokens) == 0 {
		return false
	}
	_, _, assigns := assignment(tokens[0].raw)
	return assigns || slices.Contains([]string{"exit", "exec", "shift", "set", "export", "readonly"}, tokens[0].raw)
}

// assign gives a variable its value; false where more depends on it.
func (r *run) assign(name, raw string) bool {
	text, known := r.assigned(raw)
	r.variables[name] = value{text, known}
	return name != "IFS"
}

// sets says that a word may set a variable while it is expanded.
func (t token) sets() bool {
	return strings.Contains(t.raw, "=") && (strings.Contains(t.raw, "${") || strings.Contains(t.raw, "$(("))
}

// command runs the words of one command.
func (r *run) command(tokens []token) bool {
	if slices.ContainsFunc(tokens, token.sets) {
		return false
	}
	assigns := 0
	for assigns < len(tokens) && assigning().MatchString(tokens[assigns].raw) {
		assigns++
	}
	for _, t := range tokens[:assigns] {
		name, text, _ := assignment(t.raw)
		if assigns < len(tokens) {
			if _, set := r.variables[name]; set {
				r.variables[name] = value{} // its command has it, and some leave it to the script
			}
		} else if !r.assign(name, text) {
			return false
		}
	}
	if tokens = tokens[assigns:]; len(tokens) == 0 {
		return true
	}
	var words []string
	certain := true
	for i, t := range tokens {
		got, known := r.expand(t)
		if !known && i == 0 {
			return false // it may be any command
		}
		certain = certain && known
		words = append(words, got...)
	}
	if len(words) == 0 {
		return true
	}
	if words[0] == "exec" {
		words = words[1:]
		r.ended = len(words) > 0
	}
	if len(words) == 0 {
		return true
	}
	return r.called(words, tokens, certain)
}

func (r *run) called(words []string, tokens []token, certain bool) bool {
	switch words[0] {
	case "exit":
		r.ended = true
		return true
	case "shift":
		if len(words) > 1 || !certain || len(r.arguments) == 0 { // of which there is none, some shells end
			return false
		}
		r.arguments = r.arguments[1:]
		return true
	case "set":
		return certain && !slices.ContainsFunc(words[1:], func(w string) bool { return !strings.HasPrefix(w, "-") || w == "--" || w == "-" })
	case "export", "readonly":
		return r.export(tokens[1:])
	}
	at := slices.IndexFunc(words, func(w string) bool { return filepath.Base(w) == r.name })
	switch {
	case keyword(words[0]), setsPart().MatchString(words[0]), words[0] == "printf" && slices.Contains(words, "-v"):
		return false
	case at < 0:
		return true
	case at > 0 && !RunsRest(words[0]):
		return slices.Contains([]string{"logger", "echo", "printf"}, filepath.Base(words[0])) // others may run it
	}
	r.found = append([]string{}, words[at+1:]...)
	return certain
}

// export gives variables their values; what is no assignment has one. Some shells split
// what is not in quotes.
func (r *run) export(tokens []token) bool {
	for _, t := range tokens {
		name, text, assigns := assignment(t.raw)
		x, known := r.substitute(text, false)
		if assigns && (!known || x.splits || x.globs || !r.assign(name, text)) {
			return false
		}
	}
	return true
}

// setsPart is how bash adds to a variable, or sets a part of one.
var setsPart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\+=|\[)`) })

var assigning = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`) })

// assignment reads NAME=VALUE.
func assignment(raw string) (name, text string, ok bool) {
	m := assigning().FindStringSubmatch(raw)
	if m == nil {
		return "", "", false
	}
	return m[1], raw[len(m[0]):], true
}

// parameter is the value of what stands behind a dollar sign.
func (r *run) parameter(name string) (string, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 {
			return "", false
		}
		if n > len(r.arguments) {
			return "", true
		}
		return r.arguments[n-1], true
	}
	v, set := r.variables[name]
	return v.text, set && v.known // one that is not set may come from outside
}
