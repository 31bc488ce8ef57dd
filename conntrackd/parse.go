package conntrackd

import (
	"bytes"
	"fmt"
	"strings"
)

// Severity says what a [Diagnostic] means for the daemon.
type Severity string

const (
	SeverityError   Severity = "error"   // the daemon refuses the file
	SeverityWarning Severity = "warning" // the daemon starts, and does something else than the file says
)

// Diagnostic is one finding in a configuration file.
type Diagnostic struct {
	Line     int // from 1
	Column   int // in bytes, from 1
	Severity Severity
	// Message is a sentence. It may quote the file: control characters are
	// the reader's to strip.
	Message string
}

// File is a conntrackd.conf, kept byte for byte. It is not safe for concurrent
// use while it is edited.
type File struct {
	name string
	toks []token // the texts with what stands before each
	tail string  // what stands after the last
	top  []*node
	// cut is the index of the token at which the daemon stops reading, or -1.
	cut int
	// open is true where a block does not end.
	open  bool
	dirty bool // the tokens were edited since the tree was built
	bad   bool // there is an error among the diagnostics
	diags []Diagnostic
}

// node is a directive with its values and its block.
type node struct {
	rule     *rule // nil where the directive is unknown or incomplete
	text     string
	first    int   // index of its first token
	last     int   // index of its last token
	args     []int // indices of its values
	open     int   // index of the brace that opens its block, or -1
	block    section
	children []*node
}

// maxDepth is more than any file needs; deeper blocks are kept and not looked
// into.
const maxDepth = 32

// Parse reads a configuration file. Every input makes a File whose Bytes are
// the input; what the daemon would refuse or misread is in the diagnostics, in
// the order of the file. Directives that are not known survive. name is for
// messages.
func Parse(name string, src []byte) (*File, []Diagnostic) {
	f := parse(name, string(src), 2*bytes.Count(src, []byte("\n")))
	return f, f.diags
}

// parse is [Parse] of a text of about so many tokens.
func parse(name, src string, tokens int) *File {
	f := &File{name: name, cut: -1, toks: make([]token, 0, tokens)}
	l := lexer{src: src, line: 1}
	for {
		t, ok := l.next()
		if !ok {
			f.tail = t.lead
			break
		}
		f.toks = append(f.toks, t)
	}
	p := parser{f: f}
	f.top = p.body(inFile, 0)
	if p.pos < len(f.toks) && f.cut < 0 {
		f.cut = p.pos
	}
	f.check()
	return f
}

// Name returns the name that Parse was given.
func (f *File) Name() string { return f.name }

// Bytes returns the file as it is now.
func (f *File) Bytes() []byte { return []byte(f.String()) }

// String returns the file as it is now.
func (f *File) String() string {
	size := len(f.tail)
	for _, t := range f.toks {
		size += len(t.lead) + len(t.text)
	}
	var b strings.Builder
	b.Grow(size)
	for _, t := range f.toks {
		b.WriteString(t.lead)
		b.WriteString(t.text)
	}
	b.WriteString(f.tail)
	return b.String()
}

// SilentEnd returns the offset of the byte that the daemon takes for the end of
// the file, or -1. A file that it refuses before such a byte has none: there it
// is not silent.
func (f *File) SilentEnd() int {
	offset := 0
	for _, t := range f.toks {
		offset += len(t.lead)
		switch t.kind {
		case kindTruncator:
			return offset
		case kindStray:
			return -1
		}
		offset += len(t.text)
	}
	return -1
}

// reparse brings the tree up to date with the tokens.
func (f *File) reparse() {
	if !f.dirty {
		return
	}
	*f = *parse(f.name, f.String(), len(f.toks)+16) // an edit adds a few
}

func (f *File) full(s Severity) bool {
	return len(f.diags) >= maxDiagnostics && (f.bad || s != SeverityError)
}

type parser struct {
	f   *File
	pos int
	// Memory for nodes and for the indices of their values, of which a long file has
	// very many.
	nodes []node
	args  []int
}

// spare is how many nodes or indices are made room for at a time.
const spare = 512

// node makes a directive that begins at the current token.
func (p *parser) node() *node {
	if len(p.nodes) == 0 {
		p.nodes = make([]node, spare)
	}
	n := &p.nodes[0]
	p.nodes = p.nodes[1:]
	n.text, n.first, n.last, n.open = p.f.toks[p.pos].text, p.pos, p.pos, -1
	return n
}

// take makes the tokens from the current one on the values of a directive.
func (p *parser) take(n *node, count int) {
	if len(p.args)+count > cap(p.args) {
		p.args = make([]int, 0, max(spare, count))
	}
	from := len(p.args)
	for range count {
		p.args = append(p.args, p.pos)
		p.pos++
	}
	n.args = p.args[from:len(p.args):len(p.args)]
}

// maxDiagnostics keeps a file that is no configuration from filling the memory.
const maxDiagnostics = 200

// note adds a finding at a token. The first error is never left out.
func (f *File) note(i int, s Severity, format string, args ...any) {
	if f.full(s) {
		return
	}
	f.bad = f.bad || s == SeverityError
	d := Diagnostic{Severity: s, Message: fmt.Sprintf(format, args...), Line: 1, Column: 1}
	switch {
	case i < len(f.toks):
		d.Line, d.Column = f.toks[i].line, f.toks[i].col
	case len(f.toks) > 0:
		t := f.toks[len(f.toks)-1]
		d.Line, d.Column = t.line, t.col+len(t.text)
	}
	f.diags = append(f.diags, d)
}

// body reads directives up to the brace that closes the block, which it leaves,
// or to the end of the file.
func (p *parser) body(in section, depth int) []*node {
	var nodes []*node
	for p.pos < len(p.f.toks) {
		t := &p.f.toks[p.pos]
		switch {
		case t.kind == kindClose && depth > 0:
			return nodes
		case t.kind == kindTruncator && depth == 0:
			p.f.note(p.pos, SeverityWarning, "byte 0x%02X: the daemon takes it for the end of the file and ignores everything from here", t.text[0])
			return nodes
		}
		nodes = append(nodes, p.directive(in, depth))
	}
	return nodes
}

func (p *parser) directive(in section, depth int) *node {
	toks := p.f.toks
	t := &toks[p.pos]
	n := p.node()
	if k, ok := items[in]; ok && t.kind == k {
		n.rule = &rule{keyword: t.text}
		p.pos++
		return n
	}
	if t.kind == kindKeyword {
		n.rule = lookup[in][t.text]
	}
	if n.rule == nil {
		if !p.f.full(SeverityError) {
			p.f.note(p.pos, SeverityError, "%s", p.unknown(in, t))
		}
		p.pos++
		if t.kind == kindOpen {
			n.open = n.first
			p.balance(n)
			return n
		}
		p.skip(in, n, depth)
		return n
	}
	s := p.shape(n.rule)
	p.pos++
	if s == nil {
		p.f.note(p.pos, SeverityError, "%s %s", t.text, p.expected(n.rule))
		n.rule = nil
		p.skip(in, n, depth)
		return n
	}
	p.take(n, len(s.args))
	n.last = p.pos - 1
	if s.block != noBlock {
		n.block = s.block
		p.block(n, depth)
	}
	return n
}

// shape returns the shape that the tokens after the current one complete.
func (p *parser) shape(r *rule) *shape {
	for i := range r.shapes {
		s, at := &r.shapes[i], p.pos+1
		ok := true
		for _, a := range s.args {
			if at >= len(p.f.toks) || !a.takes(&p.f.toks[at]) {
				ok = false
				break
			}
			at++
		}
		if ok && s.block != noBlock {
			ok = at < len(p.f.toks) && p.f.toks[at].kind == kindOpen
		}
		if ok {
			return s
		}
	}
	return nil
}

func (a arg) takes(t *token) bool {
	return t.kind == a.kind && (a.word == "" || a.word == t.text)
}

// block reads the braces at the current token and what stands between them.
func (p *parser) block(n *node, depth int) {
	n.open = p.pos
	p.pos++
	if depth >= maxDepth {
		p.f.note(n.open, SeverityError, "blocks are nested deeper than %d", maxDepth)
		p.balance(n)
		return
	}
	n.children = p.body(n.block, depth+1)
	if p.pos >= len(p.f.toks) {
		p.unclosed(n)
		return
	}
	n.last = p.pos
	p.pos++
}

func (p *parser) unclosed(n *node) {
	n.last = len(p.f.toks) - 1
	if !p.f.open {
		p.f.note(len(p.f.toks), SeverityError, "the block opened in line %d does not end: } is missing", p.f.toks[n.open].line)
	}
	p.f.open = true
}

// skip passes over what is not understood, up to the next directive or item that may
// stand here, or past the block that belongs to it.
func (p *parser) skip(in section, n *node, depth int) {
	item, listed := items[in]
	for p.pos < len(p.f.toks) {
		t := &p.f.toks[p.pos]
		_, known := lookup[in][t.text]
		switch {
		case t.kind == kindOpen:
			n.open = p.pos
			p.pos++
			p.balance(n)
			return
		case t.kind == kindClose && depth > 0, known, listed && t.kind == item, t.kind == kindTruncator && depth == 0:
			n.last = p.pos - 1
			return
		}
		n.args = append(n.args, p.pos)
		p.pos++
	}
	n.last = p.pos - 1
}

// balance passes over a block without looking into it.
func (p *parser) balance(n *node) {
	for depth := 1; p.pos < len(p.f.toks); p.pos++ {
		switch p.f.toks[p.pos].kind {
		case kindOpen:
			depth++
		case kindClose:
			depth--
		}
		if depth == 0 {
			n.last = p.pos
			p.pos++
			return
		}
	}
	p.unclosed(n)
}
