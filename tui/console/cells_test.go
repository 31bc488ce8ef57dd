package console

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// sequences are all that the pen sends beside text.
var sequences = regexp.MustCompile(`\x1b(M|\[[0-9;]*[HABCDKm])|[\r\n\x08]`)

// FuzzFilter holds for every text that nothing but characters and the pen's own
// sequences goes out to the terminal, and with ascii nothing else than ASCII.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"", "plain\ntwo lines", "\x1b[31mred\x1b[m", "\x1b[4:3mx", "日本é", "e\u0301", "👨\u200d👩\u200d👧", "a\x1b]0;title\x07b", "\x9bd\x00e", "\u009b31m", "\u202e\u200b\u2028\u0085",
		"\xe5\x07", "\xe6\x97\x1b[2J", "\xf0\x9f\x91\x1bc", "\xc2", "\xff\xfe\x1b", "\xed\xa0\x80", "\xc0\x9b", "é\xe5\x1b]0;x\x07", "\x1b[31m\xe5\x9b", "\x1b\xe5[", "\x90\xe5\x9cx",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, ascii bool) {
		const width, height = 12, 3
		d := clearDisplay(width, height)
		sent := string(d.paint(parse(text, width, height, ascii), everyRow))
		rest := sequences.ReplaceAllString(sent, "")
		switch {
		case !utf8.ValidString(rest):
			t.Errorf("%q sends %q, which is not UTF-8", text, sent)
		case strings.ContainsFunc(rest, unicode.IsControl):
			t.Errorf("%q sends a control character: %q", text, sent)
		case ascii && strings.ContainsFunc(rest, func(r rune) bool { return r > '~' }):
			t.Errorf("%q sends more than ASCII: %q", text, sent)
		}
	})
}

// A character that is cut off is one question mark, and what follows it stays
// what it is.
func TestCutCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\xe5\x07b":            "a?b",
		"a\xe6\x97b":            "a?b",
		"\xf0\x9f\x91\x1b[31mx": "?x",
		"\xc2":                  "?",
		"\xffé":                 "?é",
		"日\xe6\x97本":            "日?本",
		"a\xe5\x1b]0;t\x07":     "a?",
	} {
		row := parse(text, 10, 1, false)[0]
		var got strings.Builder
		for _, c := range row {
			got.WriteString(c.text)
		}
		if strings.TrimRight(got.String(), " ") != want {
			t.Errorf("%q: %q, want %q", text, got.String(), want)
		}
	}
}
