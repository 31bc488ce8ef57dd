package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documents for those who change the program, whose names of files,
// packages and tests have to exist.
var documents = []string{"docs/architecture.md", "CONTRIBUTING.md"}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestDocumentsNameWhatExists(t *testing.T) {
	known := knownNames(t)
	for _, name := range documents {
		text := readDocument(t, name)
		if n := len(pathsIn(text)); n < 20 {
			t.Errorf("%s: %d paths were found; is this where they are?", name, n)
		}
		for _, wrong := range known.wrong(text, filepath.Dir(name)) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

// Every package has its line in the architecture's table, once.
func TestTablesOfPackages(t *testing.T) {
	var packages []string
	for _, p := range list(t, "./...") {
		packages = append(packages, strings.TrimPrefix(p.ImportPath, module))
	}
	rows := packagesOfTable(readDocument(t, "docs/architecture.md"))
	for _, name := range packages {
		if n := count(rows, name); n != 1 {
			t.Errorf("docs/architecture.md: package %s is in the table %d times, want 1", name, n)
		}
	}
	for _, name := range rows {
		if !slices.Contains(packages, name) {
			t.Errorf("docs/architecture.md: package %s is in the table and not in the module", name)
		}
	}
}

func TestNamesOfDocuments(t *testing.T) {
	known := names{
		exists: func(path string) bool {
			return slices.Contains([]string{"a/b.go", "a/b", "docs/x.md", "Makefile"}, path)
		},
		tests:    map[string]bool{"TestReal": true},
		declared: map[string]map[string]bool{"health": {"Verdict": true}},
	}
	for text, want := range map[string]string{
		"`a/b.go`, `a/b`, a `make test` and `./z/...`":         "z does not exist",
		"`a/c.go` and `plain.go`":                              "a/c.go does not exist, plain.go does not exist",
		"`/etc/connsync/application` and `--from`":             "",
		"[x](x.md) and [y](../y.md), [z](https://x.org/z.md)":  "y.md does not exist",
		"    go test ./a/b -run TestReal\n    go vet ./a/none": "a/none does not exist",
		"```\ngo test ./... -run 'TestRe|TestGone'\n```\n":     "there is no test TestGone",
		"`health.Verdict`, `health.Gone`, `os.Exit`":           "package health declares no Gone",
	} {
		if got := strings.Join(known.wrong(text, "docs"), ", "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// names are what a document may name.
type names struct {
	exists   func(path string) bool     // beneath the module's directory
	tests    map[string]bool            // names of test functions
	declared map[string]map[string]bool // exported names, by the package's last element
}

var (
	codeSpan    = regexp.MustCompile("`([^`\n]+)`")
	linkTarget  = regexp.MustCompile(`\]\(([^)#]+)\)`)
	dotPath     = regexp.MustCompile(`(?:^|[\s'"])\./([A-Za-z0-9_./-]+)`)
	fileName    = regexp.MustCompile(`^[A-Za-z0-9_-]+\.(?:go|md|txtar|golden|yaml|json)$`)
	testName    = regexp.MustCompile(`\b(?:Test|Example|Benchmark|Fuzz)[A-Z][A-Za-z0-9_]*`)
	qualified   = regexp.MustCompile("`([a-z0-9]+)\\.([A-Z][A-Za-z0-9]*)")
	declaration = regexp.MustCompile(`(?m)^(?:func|type|var|const|\t)\s*([A-Z][A-Za-z0-9]*)\b`)
	function    = regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark|Fuzz)[A-Z][A-Za-z0-9_]*)\(`)
)

// pathsIn are the paths in a document: code that looks like one, and what
// begins with ./ anywhere.
func pathsIn(text string) []string {
	var paths []string
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		path := m[1]
		relative := strings.Contains(path, "/") && !strings.ContainsAny(path[:1], "/-.~@$")
		if !strings.ContainsAny(path, " ,:=<>|…") && (relative || fileName.MatchString(path)) {
			paths = append(paths, path)
		}
	}
	for _, m := range dotPath.FindAllStringSubmatch(strings.ReplaceAll(text, "`", " "), -1) {
		paths = append(paths, m[1])
	}
	return paths
}

// wrong is what a document in a directory names and does not exist.
func (n names) wrong(text, dir string) []string {
	var wrong []string
	say := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(wrong, s) {
			wrong = append(wrong, s)
		}
	}
	for _, path := range pathsIn(text) {
		path = strings.TrimSuffix(strings.TrimSuffix(path, "..."), "/")
		if path != "" && !n.exists(path) {
			say("%s does not exist", path)
		}
	}
	for _, m := range linkTarget.FindAllStringSubmatch(text, -1) {
		if path := filepath.Join(dir, m[1]); !strings.Contains(m[1], "://") && !n.exists(path) {
			say("%s does not exist", path)
		}
	}
	for _, name := range testName.FindAllString(text, -1) {
		if !n.hasTest(name) {
			say("there is no test %s", name)
		}
	}
	for _, m := range qualified.FindAllStringSubmatch(text, -1) {
		if declared, ours := n.declared[m[1]]; ours && !declared[m[2]] {
			say("package %s declares no %s", m[1], m[2])
		}
	}
	return wrong
}

// hasTest reports whether there is a test of that name, or one that begins with
// it, as -run takes it.
func (n names) hasTest(name string) bool {
	for test := range n.tests {
		if strings.HasPrefix(test, name) {
			return true
		}
	}
	return false
}

// knownNames are those of this module.
func knownNames(t *testing.T) names {
	t.Helper()
	known := names{
		exists: func(path string) bool {
			_, err := os.Stat(filepath.Join("..", path))
			return err == nil
		},
		tests: map[string]bool{}, declared: map[string]map[string]bool{},
	}
	for _, p := range list(t, "./...") {
		dir := strings.TrimPrefix(p.ImportPath, module)
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		declared := map[string]bool{}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			find, into := declaration, declared
			if strings.HasSuffix(file, "_test.go") {
				find, into = function, known.tests
			}
			for _, m := range find.FindAllSubmatch(content, -1) {
				into[string(m[1])] = true
			}
		}
		known.declared[filepath.Base(dir)] = declared
	}
	return known
}

// packagesOfTable are the packages in the first column of the first table that
// has "package" at its head.
func packagesOfTable(text string) []string {
	_, table, _ := strings.Cut(text, "\n| package | ")
	var rows []string
	for i, line := range strings.Split(table, "\n") {
		if i < 2 {
			continue // the head and the line beneath it
		}
		m := regexp.MustCompile("^\\| `([^`]+)` \\|").FindStringSubmatch(line)
		if m == nil {
			return rows
		}
		rows = append(rows, m[1])
	}
	return rows
}

func count(all []string, one string) int {
	n := 0
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}
