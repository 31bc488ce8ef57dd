package conntrackd

import "strings"

// newline is how most lines of the file end.
func (f *File) newline() string {
	text := string(f.Bytes())
	if 2*strings.Count(text, "\r\n") > strings.Count(text, "\n") {
		return "\r\n"
	}
	return "\n"
}

// unit is the white space by which the lines of a block are further in than the
// block: that of the given one, else of the first in the file that shows it.
// block may be nil.
func (f *File) unit(block *node) string {
	if block != nil {
		if unit := f.unitOf(block); unit != "" {
			return unit
		}
	}
	if unit := f.firstUnit(f.top); unit != "" {
		return unit
	}
	return "\t"
}

func (f *File) firstUnit(nodes []*node) string {
	for _, n := range nodes {
		unit := f.unitOf(n)
		if unit == "" {
			unit = f.firstUnit(n.children)
		}
		if unit != "" {
			return unit
		}
	}
	return ""
}

// unitOf is [File.unit] of one block, "" where its lines do not show it.
func (f *File) unitOf(block *node) string {
	indent, ok := f.innerIndent(block)
	outer := f.outer(block)
	if !ok || !strings.HasPrefix(indent, outer) {
		return ""
	}
	return indent[len(outer):]
}

// innerIndent is the white space that begins the last line of a block, ok false
// where no directive of it begins a line.
func (f *File) innerIndent(block *node) (indent string, ok bool) {
	for i := len(block.children) - 1; i >= 0; i-- {
		lead := f.toks[block.children[i].first].lead
		if nl := strings.LastIndexByte(lead, '\n'); nl >= 0 {
			return lead[nl+1:], true
		}
	}
	return "", false
}

// indent is the white space that begins the lines of a block.
func (f *File) indent(block *node) string {
	if indent, ok := f.innerIndent(block); ok {
		return indent
	}
	return f.outer(block) + f.unit(nil)
}

// outer is the white space that begins the line of a block, or "" where
// something else does.
func (f *File) outer(block *node) string {
	lead := f.toks[block.first].lead
	nl := strings.LastIndexByte(lead, '\n')
	if nl < 0 && block.first > 0 {
		return ""
	}
	return lead[nl+1:]
}

// laidOut gives text, whose lines end in "\n" and are indented by tabs, the
// layout of the file. A last line without an end stays without.
func (f *File) laidOut(block *node, text string) string {
	newline, unit := f.newline(), f.unit(block)
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, ended := strings.CutSuffix(line, "\n")
		b.WriteString(reindented(line, unit))
		if ended {
			b.WriteString(lineEnd(line, newline))
		}
	}
	return b.String()
}

// reindented has unit for each tab at the beginning of a line.
func reindented(line, unit string) string {
	rest := strings.TrimLeft(line, "\t")
	return strings.Repeat(unit, len(line)-len(rest)) + rest
}

// lineEnd ends a line. The daemon takes a carriage return for a part of the path
// that it follows at once, a tab as well, and only a space ends a path.
func lineEnd(line, newline string) string {
	last := line[strings.LastIndexAny(line, " \n")+1:]
	if newline != "\n" && strings.Contains(last, "/") {
		return " " + newline
	}
	return newline
}
