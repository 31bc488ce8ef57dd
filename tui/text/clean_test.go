package text

import (
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
		if got := utf8.RuneCountInString(Clean(long)); got > CleanMax {
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
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > CleanMax {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		for _, r := range got {
			if !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) {
				t.Errorf("Clean(%q) holds %U", s, r)
			}
		}
	})
}
