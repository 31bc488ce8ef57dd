package keys

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pasteBegin and pasteEnd are the marks round a paste (xterm's bracketed
// paste, DECSET 2004).
const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// pasted reads what is pasted. It ends with its mark; one that lost it ends
// with Ctrl+C or a pause, and what is beyond the size types nothing.
func (d *Decoder) pasted(b byte) {
	switch {
	case b == '\n' && d.after == '\r':
		return
	case b == '\n':
		b = '\r'
	}
	if d.paste = append(d.paste, b); bytes.HasSuffix(d.paste, []byte(pasteEnd)) {
		d.endPaste()
		d.reset()
	} else if len(d.paste) >= pasteMax {
		d.endPaste()
		d.reset()
		d.paste, d.read = []byte{}, (*Decoder).surplus
	}
}

// surplus reads what is too much of a paste. As keys it would be obeyed.
func (d *Decoder) surplus(b byte) {
	if d.seq = append(d.seq, b); bytes.HasSuffix(d.seq, []byte(pasteEnd)) {
		d.reset()
	} else if len(d.seq) > sequenceMax {
		d.seq = append(d.seq[:0], d.seq[len(d.seq)-len(pasteEnd):]...)
	}
}

// endPaste hands out what was pasted, between its marks.
func (d *Decoder) endPaste() {
	if text := cleanPaste(string(d.paste)); text != "" {
		d.out = append(d.out, pasteBegin+text+pasteEnd...)
	}
}

// sequences are escape sequences in a text that was pasted.
var sequences = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]?)?`) })

// cleanPaste takes away what is no text: the mark of the end, whole, cut short
// or with one byte lost, escape sequences, controls, and bytes that are no
// characters.
func cleanPaste(text string) string {
	text = strings.TrimSuffix(text, pasteEnd)
	for i := range pasteEnd {
		text = strings.TrimSuffix(text, pasteEnd[:i]+pasteEnd[i+1:])
	}
	text = sequences().ReplaceAllString(strings.ToValidUTF8(text, ""), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' && r != '\r' || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
}
