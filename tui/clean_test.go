package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"eth1", "eth1"},
		{"", ""},
		{"two\tcells\r\nand a line", "two cells  and a line"},
		{"a\x1b[31mred\x1b[0m", "ared"},
		{"a\x1b]0;title\x07b", "ab"},
		{"a\x1b]52;c;ZXZpbA==\x1b\\b", "ab"},
		{"a\x9b31mb", "a31mb"},
		{"a\u009b31mb", "a31mb"},
		{"a\x00b\x7fc\x08d", "abcd"},
		{"user\u202etxt.exe", "usertxt.exe"},
		{"zero\u200bwidth\ufeff", "zerowidth"},
		{"bad \xff\xfe bytes", "bad  bytes"},
		{"Grüße, 日本", "Grüße, 日本"},
		{"\x1b", ""},
		{"\x1b[", ""},
	} {
		if got := Clean(tc.in); got != tc.want {
			t.Errorf("Clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	for _, long := range []string{strings.Repeat("x", 1<<20), strings.Repeat("日", 1<<20), strings.Repeat("\x1b[31m", 1<<18)} {
		if got := utf8.RuneCountInString(Clean(long)); got > cleanMax {
			t.Errorf("%d characters are left", got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mred")
	f.Add("\x9b\xff\u202e")
	f.Add("\x1b]0;\x1b[\x07")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > cleanMax {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		for _, r := range got {
			if !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) {
				t.Errorf("Clean(%q) holds %U", s, r)
			}
		}
	})
}

// Every character outside ASCII that the program draws is in glyphs.go.
func TestGlyphsAreInOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, name := range files {
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
