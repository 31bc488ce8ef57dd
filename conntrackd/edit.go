package conntrackd

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The edits below change tokens and what stands between them, and nothing else.
// Each leaves the tree out of date: reparse mends it before the next look.

// setArg replaces the value of a directive. What stands around it stays, the
// carriage return that the daemon takes for the end of a path as the end of the line.
func (f *File) setArg(n *node, text string) {
	at := n.args[0]
	if old := f.toks[at]; old.kind == kindPath && strings.HasSuffix(old.text, "\r") {
		next := &f.tail
		if at+1 < len(f.toks) {
			next = &f.toks[at+1].lead
		}
		*next = "\r" + *next
	}
	f.set(at, text)
}

// set gives a token another text. A space parts it from a token or a comment that
// stands beside it without one and that the daemon would read together with it.
func (f *File) set(at int, text string) {
	f.toks[at].text, f.dirty = text, true
	f.part(at)
	f.part(at + 1)
}

// part is [File.set] for the place before a token, or before the end.
func (f *File) part(at int) {
	if at == 0 {
		return
	}
	before, lead, text := f.toks[at-1].text, &f.tail, ""
	if at < len(f.toks) {
		lead, text = &f.toks[at].lead, f.toks[at].text
	}
	before = before[strings.LastIndexByte(before, ' ')+1:]
	if n, _ := match(before + *lead + text); n > len(before) {
		*lead = " " + *lead
	}
}

// ReplaceValues gives every directive with one of the keywords another value,
// in a file with errors those outside their section, too. What the daemon does
// not take for a value stays, and so do the lines.
func (f *File) ReplaceValues(values map[string]string) {
	for i := 1; i < len(f.toks); i++ {
		keyword := f.toks[i-1].text
		if text, ok := values[keyword]; ok && takesValue(keyword, &f.toks[i]) {
			f.set(i, text)
		}
	}
}

// dropArgs takes the values of a directive out that may be without them. Comments
// before them stay.
func (f *File) dropArgs(n *node) {
	for _, at := range slices.Backward(n.args) {
		if lead := f.toks[at].lead; strings.Trim(lead, " \t") != "" {
			f.toks[at+1].lead = lead + f.toks[at+1].lead
		}
		f.toks, f.dirty = append(f.toks[:at:at], f.toks[at+1:]...), true
	}
}

// setKeyword renames a directive.
func (f *File) setKeyword(n *node, keyword string) {
	f.set(n.first, keyword)
}

// insert adds directives, one a line, at the end of a block, in the block's own
// layout. A line may have a comment.
func (f *File) insert(block *node, lines ...string) {
	f.dirty = true
	brace := &f.toks[block.last]
	if len(block.children) == 0 && strings.Trim(brace.lead, " \t") == "" {
		brace.lead = f.newline() + f.outer(block)
	}
	nl := strings.LastIndexByte(brace.lead, '\n')
	if nl < 0 {
		f.insertInline(brace, lines)
		return
	}
	indent, unit, newline := f.indent(block), f.unit(block), f.newline()
	var b strings.Builder
	b.WriteString(brace.lead[:nl+1])
	for _, l := range lines {
		if l != "" {
			b.WriteString(indent + reindented(l, unit))
		}
		b.WriteString(lineEnd(l, newline))
	}
	b.WriteString(brace.lead[nl+1:])
	brace.lead = b.String()
}

// insertInline adds directives to a block whose brace closes it on the line of
// its last directive, without the lines that only explain. A path would swallow what
// follows but a space, a tab and a brace as well, and a comment everything up to the
// end of the line.
func (f *File) insertInline(brace *token, lines []string) {
	if !strings.HasPrefix(brace.lead, " ") {
		brace.lead = " " + brace.lead
	}
	brace.lead = f.inline(lines) + brace.lead
}

// inline are directives on one line, each behind a space.
func (f *File) inline(lines []string) string {
	newline := f.newline()
	var b strings.Builder
	for _, l := range lines {
		l = strings.TrimLeft(l, "\t")
		if l == "" || l[0] == '#' {
			continue
		}
		b.WriteByte(' ')
		b.WriteString(l)
		if strings.Contains(l, "#") {
			b.WriteString(newline)
		}
	}
	return b.String()
}

// insertAfter adds a block, whose lines are indented by tabs, behind another one in
// the layout of that: on lines of its own where that ends its line, with a blank line
// between them where that has one before it.
func (f *File) insertAfter(n *node, text string) {
	f.dirty = true
	next := f.after(n)
	line, rest, ended := strings.Cut(*next, "\n")
	if blank := strings.Trim(line, " \t\r"); !ended || blank != "" && blank[0] != '#' {
		*next = f.inline(lines(text)) + *next
		return
	}
	gap := ""
	if strings.Count(f.toks[n.first].lead, "\n")-strings.Count(f.toks[n.first].lead, "#") > 1 {
		gap = f.newline()
	}
	*next = line + "\n" + gap + shift(f.outer(n), f.laidOut(n, text)) + rest
}

// remove takes a directive out, with its line where it has the line to itself.
// Comments stay that stand before it, behind it and between its words; what its block
// has goes with it.
func (f *File) remove(n *node) {
	f.dirty = true
	lead, within, next := f.toks[n.first].lead, f.commentsWithin(n), f.after(n)
	nl := strings.LastIndexByte(lead, '\n')
	alone := strings.Trim(lead[nl+1:], " \t\r") == "" && (nl >= 0 || n.first == 0)
	line, rest, ended := strings.Cut(*next, "\n")
	switch {
	case alone && within == "" && ended && strings.Trim(line, " \t\r") == "":
		*next = lead[:nl+1] + rest
	case lead+within+*next == "":
		*next = " "
	default:
		*next = lead + within + *next
	}
	f.toks = append(f.toks[:n.first:n.first], f.toks[n.last+1:]...)
}

// commentsWithin is what stands before the values of a directive, and before its block,
// where that has a comment.
func (f *File) commentsWithin(n *node) string {
	last := n.last
	if n.open >= 0 {
		last = n.open
	}
	var b strings.Builder
	for _, t := range f.toks[n.first+1 : last+1] {
		if strings.Contains(t.lead, "#") {
			b.WriteString(t.lead)
		}
	}
	return b.String()
}

// removeAll takes directives out, none of which contains another, and reads the file
// once more. From the end on, what is left still stands where it did.
func (f *File) removeAll(all []*node) {
	for _, n := range slices.SortedFunc(slices.Values(all), func(a, b *node) int { return b.first - a.first }) {
		f.remove(n)
	}
	f.reparse()
}

// replace puts text in the place of a directive and its block. Comments between its
// words come to stand behind the text; what its block has goes with it.
func (f *File) replace(n *node, text string) {
	next := f.after(n)
	*next = f.commentsWithin(n) + *next
	f.exchange(n, text)
}

// exchange is [File.replace] by a text that has the comments itself.
func (f *File) exchange(n *node, text string) {
	f.toks = append(f.toks[:n.first+1:n.first+1], f.toks[n.last+1:]...)
	f.set(n.first, text)
}

// text is a directive with its block as it stands.
func (f *File) text(n *node) string {
	var b strings.Builder
	for i, t := range f.toks[n.first : n.last+1] {
		if i > 0 {
			b.WriteString(t.lead)
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// appendText adds sections at the end of the file.
func (f *File) appendText(text string) {
	f.dirty = true
	all, newline := f.Bytes(), f.newline()
	text = f.laidOut(nil, text)
	if len(all) > 0 && all[len(all)-1] != '\n' {
		f.tail += lineEnd(string(all), newline)
	}
	if len(all) > 0 {
		f.tail += newline
	}
	f.tail += text
}

// recordBits keeps the prefix length of an address in the comment behind it: in
// the place where a comment already has it, else as "/24" before the comment
// that is there, else in a new comment.
func (f *File) recordBits(n *node, old, addr netip.Addr, bits int) {
	f.dirty = true
	next := f.after(n)
	comment, at := f.comment(n)
	length := "/" + strconv.Itoa(bits)
	if at < 0 {
		if bits >= 0 {
			*next = " # " + length + f.endLine(*next) + *next
		}
		return
	}
	start, end := markIn(comment, old)
	before, behind := (*next)[:at], (*next)[at+len(comment):]
	switch {
	case end > 0 && bits < 0:
		comment = unmark(comment, old, start, end)
	case end > 0:
		comment = comment[:start] + length[1:] + comment[end:]
		if old != addr {
			comment = strings.Replace(comment, old.String()+"/", addr.String()+"/", 1)
		}
	case bits >= 0:
		comment = "# " + length + " " + strings.TrimLeft(comment[1:], " \t")
	}
	if comment == "" {
		before = strings.TrimRight(before, " \t")
	}
	*next = before + comment + behind
}

// endLine is the newline that a comment needs where other directives follow on
// its line.
func (f *File) endLine(lead string) string {
	line, _, ended := strings.Cut(lead, "\n")
	if ended && strings.Trim(line, " \t\r") == "" {
		return ""
	}
	return f.newline()
}

// unmark takes the prefix length out of a comment, and the comment away where
// nothing else is in it.
func unmark(comment string, addr netip.Addr, start, end int) string {
	begin := start - 1 // the slash
	if full := addr.String(); strings.HasSuffix(comment[:begin], full) && strings.Trim(comment[:begin-len(full)], "# \t") == "" {
		begin -= len(full)
	}
	left := comment[:begin] + strings.TrimLeft(comment[end:], " \t")
	if strings.Trim(left, "# \t") == "" {
		return ""
	}
	return left
}
