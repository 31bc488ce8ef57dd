package lab

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// oldWords are turns of phrase that an operator does not understand at once, in
// lower case; spaces at the ends are ends of words. Each has a plain one in its place.
var oldWords = []string{
	"could not look", "could not be looked", "looked at too briefly", " not there yet", ": no pass", " is no pass",
	"set right what", "without the others", "nothing of the kind", "held keys", " no text, such as",
	"finished or taken back", " taken back", " takes back", " take back", " took back", "takes it back", "take it back", "taking it back",
	" put back", " puts back", " puts it back", " put it back", "brought back", " taken out", "takes it away", " anew ",
	"needs your word", "yes to give it", "lists those that have it", "no setting is called", "no command is called",
	"in the hands of", " not confirmed", "no other host's", "peer ip is another", "may not speak to",
	" s a sign", "errors sent", "dropped here", "into kernel", "starts it at boot", "starts them at boot", " look now",
	" no state of its own", "! stays", "this stays:", "these are the answers", "no line of the other", "looks up no names",
	"acknowledges ours", "acknowledge ours", "acknowledged ours", "receives ours", "sent ours", "our messages", "sent from here", "ask connsync", " is none: the daemon",
	"is no number", "is no whole number", `" is nothing`, "%s is nothing", "not asked, because", "there is nothing to",
	"rules of connsync's", "table of connsync's", "file of connsync's", "as any no_color", " is a text", "nothing states", ": an ordinary host",
	"every instant", "stands there twice", "stands here a second time", "the option does not exist", " of glass ",
	" is no role", " is no fingerprint", "exclude each other", "ordinary host states",
}

// oldCounts are numbers that do not agree with their nouns.
var oldCounts = regexp.MustCompile(`(^|[^\d.,:/-])1 (lines|items|warnings|changes|connections|messages|seconds|minutes)( [a-z]|[.,;])`)

// othersWords are files whose words are not connsync's own: replies and samples
// of conntrackd, what fuzzing found, what an earlier version wrote, the manual and the
// glossary, which names the old words, and this list.
var othersWords = regexp.MustCompile(`^(docs/glossary\.md$|conntrackd/(control/)?testdata/|.*/testdata/fuzz/|conntrackd/prepare/testdata/records/|cmd/connsync/testdata/script/firewall-record\.txtar$|lab/words_test\.go$|plural/plural_test\.go$)`)

// No file of the project speaks in the old words.
func TestPlainWords(t *testing.T) {
	read := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(filepath.ToSlash(path), "../")
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "dist"):
			return fs.SkipDir
		case !d.Type().IsRegular() || othersWords.MatchString(name) || strings.HasSuffix(name, ".sum"):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil || !utf8.Valid(content) {
			return err
		}
		read++
		text := plainText(string(content))
		for _, old := range saidOf(text) {
			at := strings.Index(text, old)
			t.Errorf("%s: %q in: %s", name, old, text[max(0, at-60):min(len(text), at+len(old)+60)])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 1000 {
		t.Errorf("only %d files were read", read)
	}
}

// plainText is text in lower case on one line, without the signs that begin
// the lines of a comment: a sentence is found however it is broken.
func plainText(text string) string {
	words := strings.Fields(strings.ToLower(text))
	kept := words[:0]
	for _, w := range words {
		if w != "//" && w != "#" {
			kept = append(kept, w)
		}
	}
	return " " + strings.Join(kept, " ") + " "
}

// saidOf are the old words in a plain text.
func saidOf(text string) []string {
	var said []string
	for _, old := range oldWords {
		if strings.Contains(text, old) {
			said = append(said, old)
		}
	}
	return append(said, oldCounts.FindAllString(text, -1)...)
}

// The list finds what it is for, however it is broken into lines, and leaves
// alone what only looks like it.
func TestOldWords(t *testing.T) {
	for text, old := range map[string]bool{
		"3 of 19 checks could not look: no pass.":                          true,
		"3 of 19 checks could not run; the result is inconclusive.":        false,
		"// At every\n// instant it is whole.":                             true,
		" Working. The change is finished or\n taken back, ctrl+c or not.": true,
		"[ Take Back ]": true, "size \"0\" is nothing: type": true, "Nothing to do: it is in force.": false,
		"1 lines added": true, "11 lines added": false, "1 line added, 2 removed": false,
		"drawn anew by": true, "no space left on device": false, "a backup takes it": false,
	} {
		if got := len(saidOf(plainText(text))) > 0; got != old {
			t.Errorf("%q: old is %v, want %v", text, got, old)
		}
	}
}
