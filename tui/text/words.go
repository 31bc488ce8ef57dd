package text

import (
	"connsync/netcheck"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The words that carry the state of a check or a step. Colour may be added to
// them and never stands alone. A column of them is WordWidth wide.
const (
	Pending   = "..."
	OK        = "ok"
	Warn      = "warn"
	Fail      = "FAIL"
	Skip      = "skip"
	Unknown   = "unknown"
	Off       = "off" // not on, on purpose
	WordWidth = len(Unknown)
)

// Row is one line of a view: what it is about, and what is said of it. A screen
// hangs the text behind the label.
type Row struct {
	// Label is a word or two; blank where the text needs none.
	Label string
	Text  string
	// Word is a word such as [Warn] where the row is more than a fact; else blank.
	Word string
	// Commands are listed beneath the text.
	Commands []string
}

// Section is a title and the lines beneath it.
type Section struct {
	Title string
	Lines []string
}

// Column is word, padded to the column that all words share.
func Column(word string) string {
	return fmt.Sprintf("%-*s  ", WordWidth, word)
}

// Join joins the parts that are not blank.
func Join(sep string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}

// Capital is words with a capital letter at the beginning.
func Capital(words string) string {
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// LinkWord is the state of a link in a word or two.
func LinkWord(i netcheck.Interface) string {
	switch {
	case !i.Up:
		return "down"
	case !i.Carrier:
		return "no carrier"
	}
	return "up"
}

// SpeedWord is the speed as people say it; blank when unknown.
func SpeedWord(mbps int) string {
	switch {
	case mbps <= 0:
		return ""
	case mbps >= 1000 && mbps%1000 == 0:
		return fmt.Sprintf("%d Gb/s", mbps/1000)
	case mbps >= 1000:
		return fmt.Sprintf("%.1f Gb/s", float64(mbps)/1000)
	}
	return fmt.Sprintf("%d Mb/s", mbps)
}
