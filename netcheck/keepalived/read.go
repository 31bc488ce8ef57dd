package keepalived

import (
	"bytes"
	"connsync/trust"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Bounds of what is read in all, with every parameter in its place: far above any
// real configuration, and the work of about a second.
const (
	maxFiles = 1000
	maxDepth = 32
	maxSteps = 1 << 20 // lines and words
	maxBytes = 8 << 20
)

// Load reads a configuration file and those that it includes. configID is what
// lines that begin with @ are compared with: keepalived's -i, else the host
// name's first part. habits are its version's. The error is that of opening path; what cannot be followed
// further down is in Config.Unread. That is all there is of a configuration which
// is larger, or grows larger by its parameters, than what is read.
func Load(path, configID string, habits Habits) (*Config, error) {
	if err := executable(path); err != nil {
		return nil, err
	}
	return loadWithin(path, configID, habits, maxSteps, maxBytes)
}

// executable says why keepalived passes over a file of configuration.
func executable(path string) error {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return fmt.Errorf("keepalived reads no executable file: %s; take its x bits away (chmod a-x)", path)
	}
	return nil
}

// loadWithin is Load with a budget.
func loadWithin(path, configID string, habits Habits, steps, most int) (*Config, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, err
	}
	// The predefined ones, but for _PWD, which is each file's, and _RANDOM.
	parameters := map[string]string{"_INSTANCE": configID, "_HASH": "#", "_BANG": "!"}
	r := &reader{configID: configID, parameters: parameters, config: &Config{Habits: habits}, steps: steps, bytes: most}
	r.file(path, content, 0)
	if r.gaveUp {
		return &Config{Habits: habits, Files: r.config.Files, Unread: r.config.Unread[len(r.config.Unread)-1:]}, nil
	}
	r.config.build(r.tree())
	return r.config, nil
}

func readFile(path string) ([]byte, error) {
	content, err := trust.ReadFile(path, maxBytes)
	if errors.As(err, new(trust.NotRegularError)) || errors.As(err, new(*trust.TooLargeError)) {
		return nil, fmt.Errorf("read %s: not a file of configuration", path)
	}
	return content, err
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
	includes   int  // files that includes have named
	steps      int  // lines and words that may still be read
	bytes      int  // of their text
	gaveUp     bool // the configuration is beyond what is read
}

// spend takes lines or words, and their bytes, out of what may be read. It returns
// false, and gives up, where there is not enough left.
func (r *reader) spend(file string, at, steps, bytes int) bool {
	if !r.gaveUp && (steps > r.steps || bytes > r.bytes) {
		r.giveUp(file, at, "the configuration is too large, or the parameters in it never end")
	}
	r.steps, r.bytes = r.steps-steps, r.bytes-bytes
	return !r.gaveUp
}

// giveUp ends the reading. The reason is the last entry of Unread.
func (r *reader) giveUp(file string, at int, reason string) {
	if !r.gaveUp {
		r.unread(file, at, "%s", reason)
	}
	r.gaveUp = true
}

func (r *reader) unread(file string, at int, format string, args ...any) {
	r.config.Unread = append(r.config.Unread, fmt.Sprintf("%s:%d: ", file, at)+fmt.Sprintf(format, args...))
}

// file takes in a file line by line.
func (r *reader) file(path string, content []byte, depth int) {
	r.config.Files = append(r.config.Files, path)
	before := r.parameters["_PWD"]
	r.parameters["_PWD"] = trust.Directory(path)
	defer func() { r.parameters["_PWD"] = before }()
	at := 0
	collecting := "" // the parameter whose definition goes over several lines
	var collected []byte
	for text := range bytes.Lines(content) {
		at++
		s := uncommented(strings.TrimSpace(string(text)))
		if !r.spend(path, at, 1, len(text)) {
			return
		}
		if collecting != "" {
			value, more := strings.CutSuffix(s, `\`)
			collected = append(append(collected, '\n'), value...)
			if !more && len(bytes.TrimSpace(text)) > 0 { // a comment ends it, a blank line does not
				r.parameters[collecting], collecting = string(collected), ""
			}
			continue
		}
		// Includes are found before conditions and parameters are looked at.
		if m := includeLine().FindStringSubmatch(s); m != nil {
			r.include(path, at, m[1], depth)
			continue
		}
		collecting = r.line(path, at, s, 0)
		if collecting != "" {
			collected = append(collected[:0], r.parameters[collecting]...)
		}
	}
	if collecting != "" {
		r.parameters[collecting] = string(collected)
	}
}

// includeLine is the include directive and its stricter variants.
var includeLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^include[rmwba]?[ \t]+(.+)$`) })

func (r *reader) include(file string, at int, pattern string, depth int) {
	if strings.ContainsAny(pattern, `"'\`) { // quotes are of the name since 2.2
		r.unread(file, at, "the include %s is not understood here", pattern)
		return
	}
	if !r.spend(file, at, len(pattern)*strings.Count(pattern, "{"), 0) {
		return
	}
	var found []string
	patterns := braces(pattern, maxFiles+1)
	for _, full := range patterns {
		if !filepath.IsAbs(full) {
			full = trust.Directory(file) + "/" + full // keepalived is in that directory then
		}
		if real, err := trust.Absolute(full); err == nil {
			full = real // Glob reads ".." as text
		}
		paths, err := filepath.Glob(full)
		if err != nil {
			r.unread(file, at, "the include %s is not understood here", pattern)
		} else if err := hidden(full); len(paths) == 0 && err != nil {
			r.unread(file, at, "%v", err)
		}
		found = append(found, paths...)
		if len(found) > maxFiles {
			break
		}
	}
	if r.includes += max(len(patterns), len(found)); r.includes > maxFiles || depth >= maxDepth {
		r.giveUp(file, at, "too many includes")
		return
	}
	for _, path := range found {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue // keepalived passes over it
		}
		content, err := readFile(path)
		if err == nil {
			err = executable(path)
		}
		if err != nil {
			r.unread(file, at, "%v", err)
			continue
		}
		if r.gaveUp {
			return
		}
		r.file(path, content, depth+1)
	}
}

// braces are the patterns that one with "{a,b}" stands for, at most so many; "{" without
// its "}" is text.
func braces(pattern string, most int) []string {
	for open := strings.IndexByte(pattern, '{'); open >= 0; {
		depth, from, end := 0, open+1, -1
		var parts []string
		for i := open; i < len(pattern) && end < 0; i++ {
			switch c := pattern[i]; {
			case c == '{':
				depth++
			case c == ',' && depth == 1:
				parts, from = append(parts, pattern[from:i]), i+1
			case c == '}':
				if depth--; depth == 0 {
					parts, end = append(parts, pattern[from:i]), i+1
				}
			}
		}
		if end > 0 {
			var all []string
			for _, p := range parts {
				if len(all) >= most {
					break
				}
				all = append(all, braces(pattern[:open]+p+pattern[end:], most-len(all))...)
			}
			return all
		}
		next := strings.IndexByte(pattern[open+1:], '{')
		if next < 0 {
			break
		}
		open += 1 + next
	}
	return []string{pattern}
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
	if m := definition().FindStringSubmatch(s); m != nil {
		value, more := strings.CutSuffix(m[2], `\`)
		r.parameters[m[1]] = value
		if more {
			return m[1]
		}
		return ""
	}
	if strings.HasPrefix(s, "~") {
		r.repeat(file, at, s, depth)
		return ""
	}
	// A parameter's value may hold parameters, conditions and whole lines.
	if result, size := r.substitute(s); size > 0 || result != s {
		if depth == maxDepth {
			r.giveUp(file, at, "the parameters in it never end")
		}
		if !r.spend(file, at, 0, size) {
			return ""
		}
		for part := range strings.SplitSeq(result, "\n") {
			if !r.spend(file, at, 1, len(part)) {
				return ""
			}
			r.line(file, at, strings.TrimSpace(part), depth+1)
		}
		return ""
	}
	if words := fields(s, r.config.Habits.EscapesOnce); len(words) > 0 && r.spend(file, at, len(words), 0) {
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
	definition = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)=(.*)$`) })
	use        = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
	})
)

// substitute replaces the defined parameters once. keepalived leaves those that
// are not defined as they stand. size is that of the values; the result is not
// whole where it is more than may still be read.
func (r *reader) substitute(s string) (result string, size int) {
	var out strings.Builder
	end := 0
	for _, m := range use().FindAllStringSubmatchIndex(s, -1) {
		found := s[m[0]:m[1]]
		value, ok := r.parameters[strings.Trim(found, "${}")]
		// Without braces it is one only where its name ends as keepalived wants it.
		if !ok || found[1] != '{' && m[1] < len(s) && strings.IndexByte(" \t,)", s[m[1]]) < 0 {
			continue
		}
		if size += len(value); size > r.bytes {
			break
		}
		out.WriteString(s[end:m[0]] + value)
		end = m[1]
	}
	return out.String() + s[end:], size
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
