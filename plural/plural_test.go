package plural

import "testing"

func TestNumberAndNounAgree(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Of(0, "line", "lines"), "0 lines"},
		{Of(1, "line", "lines"), "1 line"},
		{Of(2, "line", "lines"), "2 lines"},
		{Of(-1, "line", "lines"), "-1 lines"},
		{Of(uint64(1<<64-1), "entry", "entries"), "18446744073709551615 entries"},
		{Word(1, "was", "were"), "was"},
		{Word(0, "was", "were"), "were"},
		{Times(1), "once"}, {Times(2), "twice"}, {Times(3), "3 times"}, {Times(0), "0 times"},
		{List(nil), ""}, {List([]string{"a"}), "a"}, {List([]string{"a", "b"}), "a and b"}, {List([]string{"a", "b", "c"}), "a, b and c"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
