package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every character outside ASCII that the program draws is in glyphs.go.
func TestGlyphsAreInOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	texts, _ := filepath.Glob("text/*.go")
	if err != nil || len(files) == 0 || len(texts) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, name := range append(files, texts...) {
		if name == "glyphs.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(string(src), func(r rune) bool { return r > '~' }); i >= 0 {
			t.Errorf("%s: %q at byte %d", name, src[i:min(len(src), i+8)], i)
		}
	}
}

func TestASCIIGlyphsAreASCII(t *testing.T) {
	g := ASCIIGlyphs()
	all := g.Rule + g.Mark + g.On + g.Off + g.Changed + g.Bad + g.Ellipsis + g.Arrow + strings.Join(g.Plot, "")
	if strings.ContainsFunc(all, func(r rune) bool { return r > '~' }) {
		t.Errorf("%q", all)
	}
	for _, p := range UnicodeGlyphs().Plot {
		if utf8.RuneCountInString(p) != 1 {
			t.Errorf("%q is not one cell", p)
		}
	}
}
