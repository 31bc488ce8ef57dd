package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// README is read on a console, and in one sitting.
const (
	readmeLines   = 150
	readmeColumns = 120
)

func TestDocumentsReadmeIsShort(t *testing.T) {
	text := readDocument(t, "README.md")
	if n := strings.Count(text, "\n"); n > readmeLines {
		t.Errorf("README.md has %d lines, want at most %d", n, readmeLines)
	}
	for i, line := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(line); n > readmeColumns {
			t.Errorf("README.md:%d has %d columns, want at most %d", i+1, n, readmeColumns)
		}
	}
}

// README shows the form as the program draws it.
func TestDocumentsReadmeShowsTheForm(t *testing.T) {
	golden := readDocument(t, "tui/testdata/TestLinkPages/good/80x24.golden")
	var screen strings.Builder
	for line := range strings.Lines(golden) {
		if !strings.HasPrefix(line, "[cursor ") {
			screen.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	if !strings.Contains(readDocument(t, "README.md"), "\n```\n"+screen.String()+"```\n") {
		t.Errorf("README.md does not show the form as it is:\n%s", screen.String())
	}
}

// Every link of a page leads to a page, and to a heading that it has; every page
// can be reached from README.
func TestDocumentsLinks(t *testing.T) {
	names, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	all := []string{"README.md", "SECURITY.md", "CONTRIBUTING.md"}
	for _, name := range names {
		all = append(all, "docs/"+filepath.Base(name))
	}
	for _, name := range all {
		for _, link := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(readDocument(t, name), -1) {
			target, heading, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), target)
			}
			linked[file] = true
			if _, err := os.Stat(filepath.Join("..", file)); err != nil {
				t.Errorf("%s: %s does not exist", name, link[1])
			} else if heading != "" && !slices.Contains(headings(readDocument(t, file)), heading) {
				t.Errorf("%s: %s has no heading #%s", name, file, heading)
			}
		}
	}
	for _, name := range all {
		if name != "README.md" && !linked[name] {
			t.Errorf("%s: no page links to it", name)
		}
	}
}

// headings are a page's, as a link names them.
func headings(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
