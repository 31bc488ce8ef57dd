package typed

import (
	"strings"
	"testing"
)

func TestWordsNumbersAndLists(t *testing.T) {
	word := func(s string) (string, string) { return Word(s, "mode", []string{"on", "off", "default"}) }
	item := func(s string) (string, string) { return s, "" }
	list := func(s string) (string, string) { return List(s, item) }
	number := func(s string) (string, string) {
		n, problem := Number(s, "priority", 1, 99)
		return FormatNumber(n), problem
	}
	events := func(s string) (string, string) {
		n, problem := EventBuffer(s)
		return FormatNumber(n), problem
	}
	for _, test := range []struct {
		read              func(string) (string, string)
		typed, want, says string
	}{
		{word, "", "", ""}, {word, "ON", "on", ""}, {word, "true", "on", ""}, {word, "No", "off", ""}, {word, "Default", "default", ""},
		{word, "maybe", "", `mode "maybe" is invalid: it must be on, off or default`},
		{list, "", "", ""}, {list, "a, b,,a c", "a,b,c", ""}, {list, ", ,", "", "nothing but commas"}, {list, "a\u00a0b", "", "an invisible character"},
		{number, "", "", ""}, {number, "99", "99", ""}, {number, "DEFAULT", "default", ""}, {number, "0", "", "out of range; type a number from 1 to 99, or default"},
		{number, "100", "", "out of range"}, {number, "07", "", "begins with a zero"}, {number, "-1", "", "is not a whole number"}, {number, "99999999999999999999", "", "out of range"},
		{events, "2M", "2097152", ""}, {events, "default", "default", ""}, {events, "0", "", "out of range"}, {events, "2G", "", "out of range"}, {events, "x", "", "is not a number"},
	} {
		got, problem := test.read(test.typed)
		if got != test.want || (problem == "") != (test.says == "") || !strings.Contains(problem, test.says) {
			t.Errorf("%q: %q, %q; want %q, %q", test.typed, got, problem, test.want, test.says)
		}
	}
}
