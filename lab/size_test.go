package lab

import (
	"bytes"
	"errors"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A package stays small enough to be read.
const (
	mostLines    = 4000 // of code that is no test, comments and blank lines included
	mostFiles    = 30
	mostDocLines = 5 // of the package's comment, without blank lines

	mostFileLines = 400 // of a file, tests too
)

// larger are the packages that may have more lines and files, with the reason.
var larger = map[string]string{
	"conntrackd": "the tree of a file, its edits and the settings in it work on the same unexported nodes: apart they would have to export every token",
	"tui":        "each screen opens others and is opened by them: apart they would be twelve packages that import each other in a circle",
}

func TestPackagesAreSmall(t *testing.T) {
	found := map[string]bool{}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		size, err := sizeOf(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		problems := size.problems()
		if _, may := larger[name]; may && len(problems) > 0 {
			found[name] = true
			continue
		}
		for _, problem := range problems {
			t.Errorf("package %s: %s", name, problem)
		}
	}
	for name := range larger {
		if !found[name] {
			t.Errorf("package %s may be larger than others and is not: it needs no exception", name)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		content, err := os.ReadFile(path)
		if lines := bytes.Count(content, []byte("\n")); lines > mostFileLines {
			t.Errorf("%s has %d lines, at most %d", path, lines, mostFileLines)
		}
		seen++
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d files: %v", seen, err)
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		size, err := sizeOf(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if problem := size.docProblem(); problem != "" {
			t.Errorf("package %s: %s", name, problem)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, test := range []struct {
		size packageSize
		want string
	}{
		{packageSize{files: 30, lines: 4000, doc: []string{"1\n2\n\n3\n4\n5\n"}}, ""},
		{packageSize{files: 31, lines: 4000, doc: []string{"1\n"}}, "it has 31 files, at most 30"},
		{packageSize{files: 30, lines: 4001, doc: []string{"1\n"}}, "it has 4001 lines, at most 4000"},
		{packageSize{files: 1, lines: 1}, "it has no doc comment"},
		{packageSize{files: 1, lines: 1, doc: []string{"1\n2\n3\n4\n5\n6\n"}}, "its doc comment has 6 lines, at most 5"},
		{packageSize{files: 2, lines: 2, doc: []string{"1\n", "2\n"}}, "2 of its files have its doc comment"},
		{packageSize{}, ""}, // of tests alone
	} {
		problems := test.size.problems()
		if problem := test.size.docProblem(); problem != "" {
			problems = append(problems, problem)
		}
		if got := strings.Join(problems, ", "); got != test.want {
			t.Errorf("%+v: %q, want %q", test.size, got, test.want)
		}
	}
}

// packageSize is how much there is of a package, without its tests.
type packageSize struct {
	files, lines int
	doc          []string // its doc comments; one is right
}

func sizeOf(dir string) (packageSize, error) {
	var size packageSize
	p, err := build.ImportDir(dir, 0)
	var none *build.NoGoError
	if errors.As(err, &none) {
		return size, nil
	}
	if err != nil {
		return size, err
	}
	for _, name := range p.GoFiles {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return size, err
		}
		size.files++
		size.lines += strings.Count(string(content), "\n")
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return size, err
		}
		if file.Doc != nil {
			size.doc = append(size.doc, file.Doc.Text())
		}
	}
	return size, nil
}

func (s packageSize) problems() []string {
	var problems []string
	if s.files > mostFiles {
		problems = append(problems, fmt.Sprintf("it has %d files, at most %d", s.files, mostFiles))
	}
	if s.lines > mostLines {
		problems = append(problems, fmt.Sprintf("it has %d lines, at most %d", s.lines, mostLines))
	}
	return problems
}

func (s packageSize) docProblem() string {
	switch {
	case s.files == 0:
		return ""
	case len(s.doc) == 0:
		return "it has no doc comment"
	case len(s.doc) > 1:
		return fmt.Sprintf("%d of its files have its doc comment", len(s.doc))
	}
	lines := 0
	for line := range strings.Lines(s.doc[0]) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines > mostDocLines {
		return fmt.Sprintf("its doc comment has %d lines, at most %d", lines, mostDocLines)
	}
	return ""
}
