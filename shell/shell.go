// Package shell writes words so that a POSIX shell reads them as they are.
package shell

import "strings"

// Word quotes s for a POSIX shell where it has to be.
func Word(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._/:,%+@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Line is a command of these words, to print or to put into a script.
func Line(words ...string) string {
	var quoted []string
	for _, word := range words {
		quoted = append(quoted, Word(word))
	}
	return strings.Join(quoted, " ")
}
