package keepalived

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Addition is what is to stand in a block of the configuration, at its end.
type Addition struct {
	Line  int      // where the block begins, such as [Group.Line]; zero puts the lines in front of all
	Lines []string // directives, without indentation
}

// NotUnderstoodError says why a file is left to a person.
type NotUnderstoodError struct {
	Line   int // zero for the file as a whole
	Reason string
}

// Error names the line.
func (e *NotUnderstoodError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

// Insert returns content with the additions. No byte that was there changes. A
// file with anything whose effect depends on more than the file itself
// (includes, parameters, conditions), or with a block that does not end on a
// line of its own, is a *[NotUnderstoodError].
func Insert(content []byte, additions []Addition) ([]byte, error) {
	lines := bytes.SplitAfter(content, []byte("\n"))
	for i, l := range lines {
		if reason := beyond(string(l)); reason != "" {
			return nil, &NotUnderstoodError{i + 1, reason}
		}
	}
	additions = slices.Clone(additions)
	// From the end, so that the lines before keep their numbers.
	slices.SortFunc(additions, func(a, b Addition) int { return b.Line - a.Line })
	for _, a := range additions {
		end, indent := 0, ""
		if a.Line > 0 {
			var err error
			if end, indent, err = blockEnd(lines, a.Line-1); err != nil {
				return nil, err
			}
		}
		ending := "\n"
		if bytes.HasSuffix(lines[end], []byte("\r\n")) || end > 0 && bytes.HasSuffix(lines[end-1], []byte("\r\n")) {
			ending = "\r\n"
		}
		var added [][]byte
		for _, text := range a.Lines {
			added = append(added, []byte(indent+text+ending))
		}
		lines = slices.Insert(lines, end, added...)
	}
	return bytes.Join(lines, nil), nil
}

// beyond says what a line has that more than this file decides on.
func beyond(line string) string {
	s := strings.TrimSpace(line)
	if includeLine().MatchString(s) {
		return "it includes other files"
	}
	if strings.HasPrefix(s, "@") {
		return "it applies under a condition"
	}
	if strings.HasSuffix(s, `\`) {
		return "it goes on in the next line"
	}
	for _, w := range fields(s, false) {
		if strings.ContainsAny(w, "$~") {
			return "it has a parameter"
		}
	}
	return ""
}

// blockEnd finds the line with the brace that ends the block which begins on
// the line first, and the indentation of what is in it.
func blockEnd(lines [][]byte, first int) (end int, indent string, err error) {
	depth, began := 0, false
	indent = "\t"
	found := false
	for i := first; i >= 0 && i < len(lines); i++ {
		words := fields(strings.TrimSpace(string(lines[i])), false)
		if depth == 1 && !found && len(words) > 0 && words[0] != "}" && words[0] != "{" {
			text := string(lines[i])
			indent, found = text[:len(text)-len(strings.TrimLeft(text, " \t"))], true
		}
		for _, w := range words {
			switch w {
			case "{":
				depth, began = depth+1, true
			case "}":
				depth--
			}
			if began && depth == 0 {
				if len(words) != 1 {
					return 0, "", &NotUnderstoodError{i + 1, "the brace that ends the block does not stand on a line of its own"}
				}
				return i, indent, nil
			}
		}
	}
	return 0, "", &NotUnderstoodError{first + 1, "the block has no end"}
}
