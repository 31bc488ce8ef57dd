package conntrackd

import (
	"fmt"
	"strings"
)

// ControlSocket returns the Path in the section UNIX at which the daemon serves its control
// socket, or "" where the file gives none.
func (f *File) ControlSocket() string { return f.value("General", "Path") }

// LockFile returns the daemon's lock file: the one in the file, or the daemon's
// default.
func (f *File) LockFile() string {
	if path := f.value("General", "LockFile"); path != "" {
		return path
	}
	return DefaultLockFile
}

// LogFile returns the path of the daemon's log file, or "" where the file gives
// no path.
func (f *File) LogFile() string {
	for _, section := range []string{"General", "Stats"} {
		if path := f.value(section, "LogFile"); strings.HasPrefix(path, "/") {
			return path
		}
	}
	return ""
}

// NamedPath is the path of a file that the daemon makes.
type NamedPath struct {
	Directive string // LockFile, UNIX Path or LogFile
	Path      string
	Line      int // of the directive; zero where the daemon's default counts
}

// String names the directive and its line.
func (p NamedPath) String() string {
	if p.Line == 0 {
		return p.Directive + " (the default)"
	}
	return fmt.Sprintf("%s (line %d)", p.Directive, p.Line)
}

// Paths are those of the files that the daemon makes when it starts with the file.
func (f *File) Paths() []NamedPath {
	all := []NamedPath{{"LockFile", f.LockFile(), f.LineOf("General", "LockFile")}}
	if path := f.ControlSocket(); path != "" {
		all = append(all, NamedPath{"UNIX Path", path, f.LineOf("General", "Path")})
	}
	for _, section := range []string{"General", "Stats"} {
		// In a file with an error a value may count for a section that does not have it.
		if path, line := f.value(section, "LogFile"), f.LineOf(section, "LogFile"); line > 0 && strings.HasPrefix(path, "/") {
			all = append(all, NamedPath{"LogFile", path, line})
		}
	}
	return all
}

// defaultHashLimit is the daemon's own, since 1.4.7 (read_config_yy.y).
const defaultHashLimit = 262144

// HashLimit is how many states each table of the daemon holds; what comes
// beyond is lost without a word.
func (f *File) HashLimit() int {
	if n := atoi(f.value("General", "HashLimit")); n > 0 {
		return n
	}
	return defaultHashLimit
}

// StartupResync reports whether the daemon asks the peer for its states when it
// starts. It asks once.
func (f *File) StartupResync() bool {
	n := f.modeSetting("StartupResync")
	return n != nil && f.argKind(n) == kindOn
}

// ProtocolFilter returns the names in the Protocol lists of the daemon's
// filter, and whether one of them is an Accept list: what is not on it is not
// synchronised.
func (f *File) ProtocolFilter() (names []string, accept bool) {
	for _, list := range named(inside(inside(f.top, "General"), "Filter"), "Protocol") {
		accept = accept || f.arg(list, 0) == "Accept"
		for _, n := range list.children {
			if n.rule != nil {
				names = append(names, n.text)
			}
		}
	}
	return names, accept
}

// value returns the value in force of a directive in a top-level section or in
// a block of it, which is the last one; "" where there is none.
//
// A file with errors may be the one of a daemon that was started before they
// came in. Where its section has no such directive, the last one outside it
// counts.
func (f *File) value(section, name string) string {
	if n := lastWithin(inside(f.top, section), name); n != nil {
		return f.arg(n, 0)
	}
	if t := f.misplaced(name); t != nil {
		return t.text
	}
	return ""
}

// lastWithin is last for the nodes and everything in their blocks.
func lastWithin(nodes []*node, name string) *node {
	var found *node
	for _, n := range nodes {
		if n.rule != nil && n.rule.name() == name {
			found = n
		}
		if below := lastWithin(n.children, name); below != nil {
			found = below
		}
	}
	return found
}

// misplaced returns the value of the last directive with the keyword in a file
// with errors, whatever block it stands in; nil where there is none.
func (f *File) misplaced(keyword string) *token {
	if !f.bad {
		return nil
	}
	var value *token
	for i := 1; i < len(f.toks) && i != f.cut; i++ {
		switch t := &f.toks[i]; {
		case t.kind == kindStray && t.text == "#":
			return value // a comment that no newline ends
		case f.toks[i-1].text == keyword && takesValue(keyword, t):
			value = t
		}
	}
	return value
}

// takesValue reports whether the token can be the first value of a directive
// with the keyword, in any section.
func takesValue(keyword string, t *token) bool {
	for i := range schema {
		if schema[i].keyword != keyword {
			continue
		}
		for _, s := range schema[i].shapes {
			if len(s.args) > 0 && s.args[0].takes(t) {
				return true
			}
		}
	}
	return false
}
