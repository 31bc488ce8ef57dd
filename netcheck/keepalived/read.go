package keepalived

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of what is read, far above any real configuration.
const (
	maxFiles     = 1000
	maxFileBytes = 16 << 20
	maxDepth     = 32
	maxLines     = 1 << 20
)

// Load reads a configuration file and those that it includes. configID is what
// lines that begin with @ are compared with: keepalived's -i, else the host
// name's first part. The error is that of opening path; what cannot be followed
// further down is in Config.Unread.
func Load(path, configID string) (*Config, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r := &reader{configID: configID, parameters: map[string]string{}, config: &Config{}}
	r.file(path, content, 0)
	r.config.build(r.tree())
	return r.config, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return nil, fmt.Errorf("read %s: not a file of configuration", path)
	}
	return os.ReadFile(path)
}

// line is one line without its comment, in words.
type line struct {
	words []string
	file  string
	at    int
}

// block is a directive: its words, and what stands between its braces.
type block struct {
	words []string
	inner []*block
	file  string
	line  int
}

func (b *block) word(i int) string {
	if i >= len(b.words) {
		return ""
	}
	return b.words[i]
}

type reader struct {
	configID   string
	parameters map[string]string
	lines      []line
	config     *Config
}

func (r *reader) unread(file string, at int, format string, args ...any) {
	r.config.Unread = append(r.config.Unread, fmt.Sprintf("%s:%d: ", file, at)+fmt.Sprintf(format, args...))
}

// file takes in a file line by line.
func (r *reader) file(path string, content []byte, depth int) {
	r.config.Files = append(r.config.Files, path)
	at := 0
	collecting := "" // the parameter whose definition goes over several lines
	for text := range bytes.Lines(content) {
		at++
		s := strings.TrimSpace(string(text))
		if collecting != "" {
			value, more := strings.CutSuffix(s, `\`)
			r.parameters[collecting] += "\n" + value
			if !more && s != "" {
				collecting = ""
			}
			continue
		}
		// Includes are found before conditions and parameters are looked at.
		if m := includeLine.FindStringSubmatch(s); m != nil {
			r.include(path, at, m[1], depth)
			continue
		}
		collecting = r.line(path, at, s, 0)
	}
}

// includeLine is the include directive and its stricter variants.
var includeLine = regexp.MustCompile(`^include[rmwba]?[ \t]+([^ \t#!]+)`)

func (r *reader) include(file string, at int, pattern string, depth int) {
	pattern = strings.Trim(pattern, `"'`)
	full := pattern
	if !filepath.IsAbs(full) {
		full = filepath.Join(filepath.Dir(file), full)
	}
	found, err := filepath.Glob(full)
	switch {
	case err != nil, strings.ContainsAny(pattern, "{}"):
		r.unread(file, at, "the include %s is not understood here", pattern)
	case len(found) == 0:
		if err := hidden(full); err != nil {
			r.unread(file, at, "%v", err)
		}
	case depth >= maxDepth || len(r.config.Files)+len(found) > maxFiles:
		r.unread(file, at, "too many includes")
		return
	}
	for _, path := range found {
		content, err := readFile(path)
		if err != nil {
			r.unread(file, at, "%v", err)
			continue
		}
		r.file(path, content, depth+1)
	}
}

// hidden says why nobody can tell that a pattern matches no file: Glob passes
// over directories that it cannot read.
func hidden(pattern string) error {
	dir := filepath.Dir(pattern)
	for strings.ContainsAny(dir, `*?[\`) {
		dir = filepath.Dir(dir)
	}
	_, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}

// line applies conditions and parameters and cuts what is left into words. It
// returns the name of a parameter whose definition goes on in the next line.
func (r *reader) line(file string, at int, s string, depth int) (goesOn string) {
	s, ok := r.applies(s)
	if !ok {
		return ""
	}
	if m := definition.FindStringSubmatch(s); m != nil {
		value, more := strings.CutSuffix(m[2], `\`)
		r.parameters[m[1]] = value
		if more {
			return m[1]
		}
		return ""
	}
	// A parameter's value may hold parameters, conditions and whole lines.
	if result := r.substitute(s); result != s {
		if depth == maxDepth || len(result) > maxFileBytes || len(r.lines) > maxLines {
			r.unread(file, at, "the parameters in it never end")
			return ""
		}
		for part := range strings.SplitSeq(result, "\n") {
			r.line(file, at, strings.TrimSpace(part), depth+1)
		}
		return ""
	}
	if words := fields(s); len(words) > 0 {
		r.lines = append(r.lines, line{words, file, at})
	}
	return ""
}

// applies says whether a line's condition holds, and takes it off.
func (r *reader) applies(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, "@") {
		return s, true
	}
	id, rest, _ := strings.Cut(s[1:], " ")
	if before, after, found := strings.Cut(id, "\t"); found {
		id, rest = before, after+" "+rest
	}
	if wanted, negated := strings.CutPrefix(id, "^"); negated {
		return strings.TrimSpace(rest), wanted != r.configID
	}
	return strings.TrimSpace(rest), id == r.configID
}

var (
	definition = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)
	use        = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
)

// substitute replaces the defined parameters once. keepalived leaves those that
// are not defined as they stand.
func (r *reader) substitute(s string) string {
	return use.ReplaceAllStringFunc(s, func(found string) string {
		if value, ok := r.parameters[strings.Trim(found, "${}")]; ok {
			return value
		}
		return found
	})
}

// tree puts the lines into blocks. A brace that is not closed is closed at the
// end, one too many is ignored, as keepalived does.
func (r *reader) tree() []*block {
	root := &block{}
	open := []*block{root}
	for _, l := range r.lines {
		var current *block
		for _, w := range l.words {
			switch w {
			case "{":
				parent := open[len(open)-1]
				if current == nil && len(parent.inner) > 0 {
					current = parent.inner[len(parent.inner)-1] // the brace stands on a line of its own
				}
				if current == nil {
					continue
				}
				open = append(open, current)
				current = nil
			case "}":
				if len(open) > 1 {
					open = open[:len(open)-1]
				}
				current = nil
			default:
				if current == nil {
					current = &block{file: l.file, line: l.at}
					parent := open[len(open)-1]
					parent.inner = append(parent.inner, current)
				}
				current.words = append(current.words, w)
			}
		}
	}
	return root.inner
}
