package typed

import (
	"fmt"
	"slices"
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
