package typed

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DefaultWord is how a value is typed that is left to the daemon.
const DefaultWord = "default"

// Word reads one of the words in any case; yes and true are on, no and false are off
// where the words have these. what names the value, for the sentence. A blank text is
// no word and no problem.
func Word(s, what string, words []string) (word, problem string) {
	wanted := s
	switch strings.ToLower(s) {
	case "":
		return "", ""
	case "yes", "true":
		wanted = "on"
	case "no", "false":
		wanted = "off"
	}
	if i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, wanted) }); i >= 0 {
		return words[i], ""
	}
	return "", fmt.Sprintf("%s %s is invalid: it must be %s", what, Show(s), either(words))
}

// either lists the words as a person says them, such as "a, b or c".
func either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// List reads texts with commas or blank space between them and gives them with
// commas, each once. one reads a single text and says why it cannot be used. A blank
// text is no list and no problem.
func List(s string, one func(string) (string, string)) (list, problem string) {
	var all []string
	for _, text := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if f := Foreign(text); f != "" {
			return "", fmt.Sprintf("the list contains %s; type plain words with commas between them", f)
		}
		item, problem := one(text)
		if problem != "" {
			return "", problem
		}
		if !slices.Contains(all, item) {
			all = append(all, item)
		}
	}
	if s != "" && all == nil {
		return "", "the list has nothing but commas; type words with commas between them"
	}
	return strings.Join(all, ","), ""
}

// DefaultNumber is the number for [DefaultWord]. No number that stands in a file is
// read as it.
const DefaultNumber = SystemBuffer

// Number reads a whole number within bounds, without blank space around it; what names
// it, for the sentence. [DefaultWord] is [DefaultNumber], a blank text zero and no
// problem.
func Number(s, what string, least, most int) (n int, problem string) {
	switch {
	case s == "":
		return 0, ""
	case strings.EqualFold(s, DefaultWord):
		return DefaultNumber, ""
	}
	want := fmt.Sprintf("type a number from %d to %d, or %s", least, most, DefaultWord)
	switch f := Foreign(s); {
	case f != "":
		return 0, fmt.Sprintf("%s contains %s; %s", what, f, want)
	case strings.Trim(s, "0123456789") != "":
		return 0, fmt.Sprintf("%s %s is not a whole number; %s", what, Show(s), want)
	case len(s) > 1 && s[0] == '0':
		return 0, fmt.Sprintf("%s %s begins with a zero; type it without", what, Show(s))
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Sprintf("%s %s is out of range; %s", what, Show(s), want)
	}
	return n, ""
}

// FormatNumber is the text for a number of [Number]; blank for zero.
func FormatNumber(n int) string {
	switch n {
	case 0:
		return ""
	case DefaultNumber:
		return DefaultWord
	}
	return strconv.Itoa(n)
}
