// Package plural says numbers of things in words that agree in number.
package plural

import (
	"strconv"
	"strings"
)

// Of is n and the noun that agrees with it, such as "1 line" or "2 lines".
func Of[N ~int | ~int64 | ~uint32 | ~uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	if n < 0 {
		return strconv.FormatInt(int64(n), 10) + " " + many
	}
	return strconv.FormatUint(uint64(n), 10) + " " + many
}

// Word is one where n is 1, else many, for a number that stands elsewhere.
func Word(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Times is how often: "once", "twice", "3 times".
func Times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return Of(n, "time", "times")
}

// List is the words as one says them: "a, b and c".
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
