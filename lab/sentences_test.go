package lab

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// No sentence of the product's faces is written twice: what two of them say
// stands in one place, from which both take it.
func TestEverySentenceStandsOnce(t *testing.T) {
	places := map[string][]string{}
	for _, root := range []string{"../cmd", "../tui", "../node"} {
		for _, file := range sources(t, root) {
			for sentence, at := range sentencesOf(t, file) {
				places[sentence] = append(places[sentence], at...)
			}
		}
	}
	if len(places) < 300 {
		t.Errorf("%d sentences were found; is this where they are?", len(places))
	}
	for sentence, at := range places {
		if len(at) > 1 {
			t.Errorf("%q is written %d times: %s", sentence, len(at), strings.Join(at, ", "))
		}
	}
}

// A sentence counts from four words on, however it is begun and ended. Lines
// that are broken elsewhere make another one.
func TestSentencesOf(t *testing.T) {
	for literal, want := range map[string]string{
		"Nothing was changed.":                           "",
		" The file stayed as it was.":                    "the file stayed as it was",
		"Nothing to do; the rules are there already: ":   "the rules are there already",
		"%d of %d checks could not run. Run them again":  "%d of %d checks could not run",
		"It is 10.0.0.1 over  here. All is\nwell again.": "it is 10.0.0.1 over here|all is\nwell again",
	} {
		if got := strings.Join(sentences(literal), "|"); got != want {
			t.Errorf("%q: %q, want %q", literal, got, want)
		}
	}
}

// sources are the Go files under root that are no tests; none where there is
// no such directory.
func sources(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if path == root && err != nil {
			return fs.SkipAll
		}
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sentencesOf are the sentences in the string literals of a file, and where
// they stand.
func sentencesOf(t *testing.T, file string) map[string][]string {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		said, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sentences(said) {
			found[s] = append(found[s], set.Position(literal.Pos()).String())
		}
		return true
	})
	return found
}

// sentenceEnd is where one sentence ends and the next begins.
var sentenceEnd = regexp.MustCompile(`[.:;!?]\s+|\n\s*\n`)

var spaces = regexp.MustCompile(` +`)

// sentences are the sentences of a text that have four words or more, in lower
// case, without what stands around them.
func sentences(said string) []string {
	var all []string
	for _, s := range sentenceEnd.Split(said, -1) {
		s = strings.ToLower(strings.Trim(s, " \t\r\n.:;,!?"))
		words := strings.Fields(s)
		spoken := 0
		for _, w := range words {
			if strings.ContainsFunc(w, unicode.IsLetter) && !strings.HasPrefix(w, "%") {
				spoken++
			}
		}
		if spoken >= 4 {
			all = append(all, spaces.ReplaceAllString(s, " "))
		}
	}
	return all
}
