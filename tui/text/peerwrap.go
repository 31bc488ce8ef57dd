package text

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
	"connsync/shell"
)

// PeerCommandLines is [PeerCommand] on lines of at most width cells; only a flag is never
// parted. Pasted into a shell they are the command, and [ParsePeerLine] reads them: a
// backslash behind a space parts two words. One behind anything else parts a word, whose
// rest begins the next line.
func PeerCommandLines(t conntrackd.SettingTable, s conntrackd.Settings, width int, before ...conntrackd.Settings) []string {
	c := commandLines{width: width, line: "   "}
	for _, w := range peerWords(t, s, before...) {
		c.put(w)
	}
	return append(c.lines, c.line)
}

// commandLines are the lines of a command: those that are full, and the last one.
type commandLines struct {
	width int
	lines []string
	line  string
}

// betweenWords ends a line that goes on with another word.
const betweenWords = ` \`

// put adds a flag and its value, on one line where there is room on any.
func (c *commandLines) put(w peerWord) {
	if !c.fits(w.String()) {
		c.next()
	}
	if c.fits(w.String()) || w.value == "" {
		c.add(w.String())
		return
	}
	c.add(w.flag)
	if !c.fits(shell.Word(w.value)) {
		c.next()
	}
	c.addParted(w.value)
}

func (c *commandLines) blank() bool { return strings.TrimSpace(c.line) == "" }

// fits says whether word has room on the last line, with the end of the line behind it.
func (c *commandLines) fits(word string) bool {
	return ansi.StringWidth(c.line)+1+ansi.StringWidth(word)+len(betweenWords) <= c.width
}

func (c *commandLines) add(word string) {
	if !c.blank() {
		c.line += " "
	}
	c.line += word
}

// next begins another line for another word.
func (c *commandLines) next() {
	if !c.blank() {
		c.lines, c.line = append(c.lines, c.line+betweenWords), "     "
	}
}

// addParted adds a value that may be longer than a line, each part quoted by itself.
func (c *commandLines) addParted(value string) {
	for {
		n := fitting(value, c.width-ansi.StringWidth(c.line)-1-len(betweenWords))
		c.add(shell.Word(value[:n]))
		if value = value[n:]; value == "" {
			return
		}
		c.lines, c.line = append(c.lines, c.line+`\`), ""
	}
}

// fitting is how many bytes of a value are at most width cells once they are quoted, one
// character at least. What does not fit is parted behind a space or a comma, if there is one.
func fitting(value string, width int) int {
	n, gap := 0, 0
	for i, r := range value {
		end := i + utf8.RuneLen(r)
		if n > 0 && ansi.StringWidth(shell.Word(value[:end])) > width {
			if gap > 0 {
				return gap
			}
			return n
		}
		if n = end; r == ' ' || r == ',' {
			gap = end
		}
	}
	return n
}
