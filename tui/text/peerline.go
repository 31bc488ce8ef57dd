package text

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"

	"connsync/conntrackd"
)

// PeerLineMax bounds what is read as the other node's line, in bytes. Of a longer one
// the end is missing, which is a [ShortPeerLineError].
const PeerLineMax = 8192

// peerLineEnd is the last word of the line. Without it the value before it, or
// a flag, may have been cut off.
const peerLineEnd = "--enable"

// ShortPeerLineError says that the peer's line stops before it is whole; the rest may
// still come.
type ShortPeerLineError struct{ missing string }

// Error says in a sentence what is missing.
func (e *ShortPeerLineError) Error() string {
	return "the line is incomplete: " + e.missing + " is missing. Paste the rest, or all of it again."
}

// peerLineStart takes a quote before the command, or before apply, where the
// whole was quoted.
var peerLineStart = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:^|\s|(['"]))(?:[^\s'"]*/)?connsync\s+(['"])?apply(?:\s|$)`)
})

// ParsePeerLine reads the command that the other node printed ([PeerCommand]),
// as it comes through a console: with a prompt or words before it, in quotes, broken into
// lines between two words or within one, with a backslash at the end or without, and with
// the lines after it that connsync prints there too. A line that is not whole
// is a *[ShortPeerLineError]. [ParseSettings] has no problem with the values.
func ParsePeerLine(t conntrackd.SettingTable, text string) (conntrackd.Values, error) {
	lines := peerTextLines(text)
	var first error
	for _, joined := range joinings(lines) {
		v, err := readPeerCommand(t, joined)
		if err == nil {
			err = usable(t, v)
		}
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// peerTextLines are the lines of the command without what a shell and a
// terminal add to them.
func peerTextLines(text string) []string {
	var lines []string
	text = ansi.Strip(text[:min(len(text), PeerLineMax)])
	for _, l := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		l = strings.TrimSpace(Whole(l))
		l = strings.TrimSpace(strings.TrimPrefix(l, "> ")) // a shell's second prompt
		if strings.HasPrefix(l, PeerNote) || strings.HasPrefix(l, fingerprintBegin) || strings.HasPrefix(l, bothNodes) {
			break
		}
		if l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// maxGuessedBreaks bounds in how many places a break may have parted a word.
const maxGuessedBreaks = 6

// joinings are the texts that the lines can be parts of, those with the fewest breaks
// that are not what they look like first. A reading with a break in the wrong place has
// a word too many or a bad value.
func joinings(lines []string) []string {
	breaks := max(len(lines)-1, 0)
	if breaks > maxGuessedBreaks {
		return []string{joinLines(lines, 0), joinLines(lines, ^uint(0))}
	}
	masks := make([]uint, 1<<breaks)
	for i := range masks {
		masks[i] = uint(i)
	}
	slices.SortStableFunc(masks, func(a, b uint) int { return ones(a) - ones(b) })
	out := make([]string, len(masks))
	for i, mask := range masks {
		out[i] = joinLines(lines, mask)
	}
	return out
}

func ones(mask uint) (n int) {
	for ; mask != 0; mask &= mask - 1 {
		n++
	}
	return n
}

// joinLines joins lines by a space or, where a word was parted, by nothing. As in a shell
// that is so behind a backslash that follows no space; a break with otherwise's bit is
// the other way round. A backslash after a space is always one.
func joinLines(lines []string, otherwise uint) string {
	var b strings.Builder
	for i, l := range lines {
		whole, continued := strings.CutSuffix(l, `\`)
		words := strings.HasSuffix(whole, " ")
		b.WriteString(strings.TrimSpace(whole))
		if continued && words || continued == (otherwise>>i&1 != 0) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// readPeerCommand reads the command in one line of text.
func readPeerCommand(t conntrackd.SettingTable, text string) (conntrackd.Values, error) {
	v := t.Values(t.Defaults())
	all := peerLineStart().FindAllStringSubmatchIndex(text, -1)
	if len(all) == 0 {
		return v, fmt.Errorf("that is not a peer line (it contains no \"connsync apply\")")
	}
	at := all[len(all)-1]
	command := text[at[1]:]
	if quote := max(at[2], at[4]); quote >= 0 {
		var whole bool
		if command, whole = strings.CutSuffix(strings.TrimSpace(command), text[quote:quote+1]); !whole {
			return v, &ShortPeerLineError{"the quote at its end"}
		}
	}
	words, err := shellWords(command)
	if err != nil {
		return v, err
	}
	v[conntrackd.FieldEnabled] = ""
	given, ended := map[string]bool{}, false
	for len(words) > 0 {
		flag, value, has := strings.Cut(words[0], "=")
		words = words[1:]
		field, known := peerFlag(t, flag)
		switch {
		case flag == peerLineEnd && !has:
			v[conntrackd.FieldEnabled], ended = "enable", true
			continue
		case flag == "--first-node" && !has: // a matter of the node it was meant for
			continue
		case !strings.HasPrefix(flag, "--"):
			return v, fmt.Errorf("unexpected %q in the line: paste the whole line and nothing else", flag)
		case !known && len(words) == 0 && !has && beginsPeerFlag(t, flag):
			return v, &ShortPeerLineError{"the end"}
		case !known:
			return v, fmt.Errorf("unknown flag %s in the line", flag)
		case !has && len(words) == 0, has && value == "":
			return v, &ShortPeerLineError{"the value of " + flag}
		case !has:
			value, words = words[0], words[1:]
		}
		if e, _ := t.Find(field); given[flag] && e.Kind == conntrackd.LinksSetting {
			value = v[field] + ", " + value // each has one link
		} else if given[flag] {
			return v, fmt.Errorf("duplicate flag %s in the line", flag)
		}
		v[field], given[flag], ended = value, true, false
	}
	for _, e := range t {
		if flag := "--" + e.Field.Flag(); e.Required && !given[flag] {
			return v, &ShortPeerLineError{flag}
		}
	}
	if !ended {
		return v, &ShortPeerLineError{"its end, " + peerLineEnd + ","}
	}
	return v, nil
}

// usable says which flag holds what cannot be used.
func usable(t conntrackd.SettingTable, v conntrackd.Values) error {
	_, problems := ParseSettings(t, v)
	if len(problems) == 0 {
		return nil
	}
	p := problems[0]
	return fmt.Errorf("--%s in the line: %s", p.Field.Flag(), p.Message)
}

// peerFlag is the field of a flag; ok is false where there is no such flag.
func peerFlag(t conntrackd.SettingTable, flag string) (f conntrackd.Field, ok bool) {
	for _, e := range t {
		if e.Usage != "" && flag == "--"+e.Field.Flag() {
			return e.Field, true
		}
	}
	return "", false
}

// beginsPeerFlag says that word is how a flag begins.
func beginsPeerFlag(t conntrackd.SettingTable, word string) bool {
	return slices.ContainsFunc(t.Fields(), func(f conntrackd.Field) bool {
		return strings.HasPrefix("--"+f.Flag(), word)
	})
}

// shellWords splits as a POSIX shell does, as far as [shell.Word] quotes.
func shellWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quoted := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			quoted, open = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
			open = true
		case c == ' ':
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if quoted {
		return nil, &ShortPeerLineError{"the end of a quoted word"}
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
