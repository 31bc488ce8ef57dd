package tui

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"connsync/tui/text"
)

func TestLineDecoder(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []typedLine
	}{
		{name: "nothing"},
		{name: "lines", in: "a\nb\n\nc\n", want: []typedLine{{text: "a"}, {text: "b"}, {}, {text: "c"}}},
		{name: "other ends", in: "a\r\nb\rc\n\r\rd\n", want: []typedLine{{text: "a"}, {text: "b"}, {text: "c"}, {}, {}, {text: "d"}}},
		{name: "blank lines with CR LF", in: "\r\n\r\nx\r\n", want: []typedLine{{}, {}, {text: "x"}}},
		{name: "the last line is cut short", in: "a\nyes", want: []typedLine{{text: "a"}}},
		{name: "spaces", in: "  10.0.0.1/24\t \n", want: []typedLine{{text: "10.0.0.1/24"}}},
		{name: "erased", in: "abx\bc\x7fd\n\b\b\x7fe\n", want: []typedLine{{text: "abd"}, {text: "e"}}},
		{name: "erased character of two bytes", in: "a\u00e9\bb\n", want: []typedLine{{text: "ab"}}},
		{name: "killed", in: "abc\x15d\n", want: []typedLine{{text: "d"}}},
		{name: "killed after an arrow", in: "a\x1b[D\x15d\n", want: []typedLine{{text: "d"}}},
		{name: "flow control and breaks", in: "\x11a\x13\x00b\n", want: []typedLine{{text: "ab"}}},
		{name: "an arrow", in: "a\x1b[D\nb\n", want: []typedLine{{text: "a\x1b[D", strange: true}, {text: "b"}}},
		{name: "a paste without its end", in: "\x1b[200~a\nb\n", want: []typedLine{{text: "\x1b[200~a", strange: true}, {text: "b"}}},
		{name: "keys of the Linux console", in: "\x1b[[A\nb\n", want: []typedLine{{text: "\x1b[[A", strange: true}, {text: "b"}}},
		{name: "an erased control", in: "a\x01\bb\n", want: []typedLine{{text: "ab"}}},
		{name: "as long as can be", in: strings.Repeat("x", lineMax) + "\n", want: []typedLine{{text: strings.Repeat("x", lineMax)}}},
		{name: "too long", in: strings.Repeat("x", 1<<20) + "\nb\n", want: []typedLine{{text: strings.Repeat("x", lineMax), long: true}, {text: "b"}}},
		{name: "too long by a tab", in: strings.Repeat("x", lineMax) + "\t" + strings.Repeat("y", 1<<20) + "\n", want: []typedLine{{text: strings.Repeat("x", lineMax), long: true}}},
		{name: "too long, and killed", in: strings.Repeat("x", 1<<20) + "\x15b\n", want: []typedLine{{text: "b"}}},
	} {
		for way, reader := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		} {
			d := lineDecoder{in: bufio.NewReader(reader(strings.NewReader(tc.in)))}
			var got []typedLine
			for {
				line, err := d.next()
				if err != nil {
					break
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(typedLine{})); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tc.name, way, diff)
			}
		}
	}
}

// Whatever is written, on whatever paper, only printable ASCII and newlines
// come out, and no more of it than is meant for one line.
func FuzzLineWriter(f *testing.F) {
	f.Add(hostile[:200], 79)
	f.Add("caf\u00e9 \u2192 \u202etxt\r\n\x1b]0;x\x07", 10)
	f.Add("ok       title: detail", 0)
	f.Fuzz(func(t *testing.T, said string, width int) {
		var out bytes.Buffer
		w := newLineWriter(&env{glyphs: ASCIIGlyphs(), theme: PlainTheme()}, &out, width, false)
		w.line(said)
		w.say(said)
		w.hang(said[:min(len(said), 5)], said)
		w.columns([]string{said})
		w.ask(said)
		w.answered()
		w.ask(said)
		w.line(said)
		checkPaper(t, out.String())
		for line := range strings.Lines(out.String()) {
			if len(line) > 3*text.CleanMax {
				t.Errorf("a line of %d", len(line))
			}
		}
	})
}

// FuzzLineReader holds that what is typed becomes lines of bounded length without
// control characters but those of keys, one for each line end at most.
func FuzzLineReader(f *testing.F) {
	for _, s := range []string{"", "a\n", "a\r\nb\r", "ab\bc\x7f\n", "\x15x\n", "\x1b[A\n", "\x13\x11\x00y\n", "\xe4\xb8\b\n", strings.Repeat("x", lineMax+1) + "\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, typed []byte) {
		d := lineDecoder{in: bufio.NewReader(bytes.NewReader(typed))}
		ends := bytes.Count(typed, []byte("\n")) + bytes.Count(typed, []byte("\r"))
		for n := 0; ; n++ {
			l, err := d.next()
			if err != nil {
				break
			}
			if n == ends {
				t.Fatal("there are more lines than line ends")
			}
			if len(l.text) > lineMax || !l.strange && strings.ContainsFunc(l.text, func(r rune) bool { return r < ' ' }) {
				t.Errorf("line %q", l.text)
			}
		}
	})
}
