package keys

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"
)

// terminal is the input of a program, as the console's: chunks come, and time
// passes between them.
type terminal struct {
	keys   Decoder
	chunks chan string
}

func (t *terminal) Read(p []byte) (int, error) {
	for {
		if n := t.keys.Take(p); n > 0 {
			return n, nil
		}
		var late <-chan time.Time
		if wait := t.keys.Wait(); wait > 0 {
			late = time.After(wait)
		}
		select {
		case chunk, open := <-t.chunks:
			if !open {
				return 0, io.EOF
			}
			t.keys.Feed([]byte(chunk))
		case <-late:
			t.keys.Expire()
		}
	}
}

// typed keeps what a program's model is told of its keys.
type typed struct{ told []string }

func (m *typed) Init() tea.Cmd  { return nil }
func (m *typed) View() tea.View { return tea.View{} }

func (m *typed) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		m.told = append(m.told, msg.String())
	case tea.PasteMsg:
		m.told = append(m.told, "<"+msg.Content+">")
	}
	return m, nil
}

// tell gives a real program what a terminal sends, a chunk after the other, and
// returns what its model is told. "" among the chunks is a pause of a person.
func tell(t *testing.T, chunks ...string) []string {
	t.Helper()
	return atOnce(t, append(chunks, "")...)
}

// atOnce is tell, and no time passes at the end.
func atOnce(t *testing.T, chunks ...string) (told []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, in := &typed{}, &terminal{chunks: make(chan string)}
		p := tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(io.Discard), tea.WithoutRenderer(),
			tea.WithoutSignalHandler(), tea.WithEnvironment([]string{"TERM=vt100"}))
		done := make(chan error)
		go func() {
			_, err := p.Run()
			done <- err
		}()
		for _, chunk := range chunks {
			if chunk == "" {
				time.Sleep(1100 * time.Millisecond)
				continue
			}
			in.chunks <- chunk
			synctest.Wait()
		}
		synctest.Wait()
		told = m.told
		p.Quit()
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(in.chunks)
	})
	return told
}

// What the terminals send for their keys is that key, whole and cut anywhere,
// and what no terminal sends for a key types nothing.
func TestKeysOfTheTerminals(t *testing.T) {
	for _, tt := range []struct{ terminal, sent, want string }{
		{"any", "a", "a"}, {"any", "\r", "enter"}, {"any", "\n", "enter"}, {"any", "\r\n", "enter"}, {"any", "\t", "tab"},
		{"any", "\x7f", "backspace"}, {"any", "\b", "ctrl+h"}, {"any", "\x03", "ctrl+c"}, {"any", "\x1b", "esc"},
		{"any", "\x1b\x1b", "esc esc"}, {"any", "\x1bd", "alt+d"}, {"any", "\x1b\x7f", "alt+backspace"}, {"any", "\x1bB", "alt+shift+b"}, {"any", "\x1b\x02", "ctrl+alt+b"}, {"any", "\x1b ", "alt+space"}, {"any", "\x1b\r", "alt+enter"}, {"any", "\x1b\x03", "esc ctrl+c"},
		{"any", "é", "é"}, {"any", "日", "日"}, {"any", "\U0001f600", "\U0001f600"},

		{"vt100", "\x1b[A", "up"}, {"vt100", "\x1b[D", "left"}, {"vt100", "\x1bOA", "up"}, {"vt100", "\x1bOC", "right"},
		{"vt100", "\x1bOP", "f1"}, {"vt100", "\x1bOQ", "f2"}, {"vt100", "\x1bOR", "f3"}, {"vt100", "\x1bOS", "f4"},
		{"vt100", "\x1bOp", "0"}, {"vt100", "\x1bOq", "1"}, {"vt100", "\x1bOr", "2"}, {"vt100", "\x1bOs", "3"},
		{"vt100", "\x1bOt", "4"}, {"vt100", "\x1bOu", "5"}, {"vt100", "\x1bOv", "6"}, {"vt100", "\x1bOw", "7"},
		{"vt100", "\x1bOx", "8"}, {"vt100", "\x1bOy", "9"}, {"vt100", "\x1bOn", "."}, {"vt100", "\x1bOm", "-"},
		{"vt100", "\x1bOk", "+"}, {"vt100", "\x1bOl", ","}, {"vt100", "\x1bOM", "enter"}, {"vt100", "\x1bOo", "/"}, {"vt100", "\x1bOj", "*"},
		{"vt100", "\x1b[24;80R", ""}, {"vt100", "\x1b[1;5R", ""}, {"vt100", "\x1b[?1;2c", ""}, {"vt100", "\x1b[0n", ""}, {"vt100", "\x1b/Z", "alt+/ Z"},

		{"vt220", "\x1b[1~", "home"}, {"vt220", "\x1b[2~", "insert"}, {"vt220", "\x1b[3~", "delete"}, {"vt220", "\x1b[4~", "end"},
		{"vt220", "\x1b[5~", "pgup"}, {"vt220", "\x1b[6~", "pgdown"}, {"vt220", "\x1b[17~", "f6"}, {"vt220", "\x1b[34~", "f20"},
		{"vt220", "\x1b[?62;1;2;6;7;8;9c", ""}, {"vt220", "\x1b[99~", ""}, {"vt220", "\x1bP1$r0m\x1b\\", ""},

		{"linux", "\x1b[[A", "f1"}, {"linux", "\x1b[[B", "f2"}, {"linux", "\x1b[[C", "f3"}, {"linux", "\x1b[[D", "f4"},
		{"linux", "\x1b[[E", "f5"}, {"linux", "\x1b[[F", ""}, {"linux", "\x1b[17~", "f6"}, {"linux", "\x1b[24~", "f12"}, {"linux", "\x1b[25~", "f13"},
		{"linux", "\x1b[P", "f1"}, {"linux", "\x1b[G", ""}, {"linux", "\x1b[1~", "home"}, {"linux", "\x1b[Z", "shift+tab"},

		{"xterm", "\x1bOH", "home"}, {"xterm", "\x1bOF", "end"}, {"xterm", "\x1b[H", "home"}, {"xterm", "\x1b[F", "end"},
		{"xterm", "\x1b[1;5C", "ctrl+right"}, {"xterm", "\x1b[1;3D", "alt+left"}, {"xterm", "\x1b[3;5~", "ctrl+delete"}, {"xterm", "\x1b[1;2P", "shift+f1"},
		{"xterm", "\x1b[15~", "f5"}, {"xterm", "\x1b[99;5u", "ctrl+c"}, {"xterm", "\x1b[27;5;99~", "ctrl+c"}, {"xterm", "\x1b[27u", "esc"},
		{"xterm", "\x1b[I", ""}, {"xterm", "\x1b[O", ""}, {"xterm", "\x1b[<0;10;20M", ""}, {"xterm", "\x1b[<0;10;20m", ""},
		{"xterm", "\x1b[M !!", ""}, {"xterm", "\x1b[32;10;20M", ""}, {"xterm", "\x1b[8;24;80t", ""}, {"xterm", "\x1b[?2026;2$y", ""},
		{"xterm", "\x1b]11;rgb:0000/0000/0000\x1b\\", ""}, {"xterm", "\x1b]11;rgb:0000/0000/0000\a", ""}, {"xterm", "\x1b_Gi=1;OK\x1b\\", ""},
		{"xterm", "\x1b^x\x1b\\", ""}, {"xterm", "\x1bXx\x1b\\", ""}, {"xterm", "\x1b[999999999u", ""}, {"xterm", "\x1b[7u", ""}, {"xterm", "\x1b[27;1;7~", ""},
		{"xterm", "\x1b[200~10.0.0.1\x1b[201~", "<10.0.0.1>"}, {"xterm", "\x1b[200~\x1b[201~", ""}, {"xterm", "\x1b[201~", ""},
		{"xterm", "\x1b[200~a\x1b[Ab\x00\x07é\xff\r\nc\x1b[201~", "<abé\rc>"},

		{"screen", "\x1bOP", "f1"}, {"screen", "\x1b[1~", "home"}, {"screen", "\x1b[4~", "end"}, {"screen", "\x1bOA", "up"}, {"screen", "\x1b[11~", "f1"},
		{"screen", "\x1b[83;40500;0c", ""}, {"screen", "\x1b[>83;40500;0c", ""},

		{"rxvt", "\x1b[11~", "f1"}, {"rxvt", "\x1b[a", "shift+up"}, {"rxvt", "\x1bOa", "ctrl+up"}, {"rxvt", "\x1b\x1b[A", "alt+up"}, {"rxvt", "\x1b[3^", "ctrl+delete"},

		{"noise", "\x1b[" + strings.Repeat("1;", 60) + "A", ""}, {"noise", "\x1b[1\x18", "ctrl+x"}, {"noise", "\x9bA", "A"}, {"noise", "\xc2\x9bA", "A"},
		{"noise", "\xe9x", "x"}, {"noise", "\xff\xfe", ""}, {"noise", "\xe6\x97", ""}, {"noise", "\x1bO5z", ""}, {"noise", "\x1b\xe9", ""},
	} {
		want := []string{"z"}
		if tt.want != "" {
			want = append(strings.Split(tt.want, " "), "z")
		}
		chunks := [][]string{{tt.sent, "", "z"}}
		for i := 1; i < len(tt.sent); i++ {
			chunks = append(chunks, []string{tt.sent[:i], tt.sent[i:], "", "z"})
		}
		if len(tt.sent) > 2 {
			chunks = append(chunks, append(strings.Split(tt.sent, ""), "", "z"))
		}
		for _, sent := range chunks {
			if diff := cmp.Diff(want, tell(t, sent...)); diff != "" {
				t.Errorf("%s: %q (-want +got):\n%s", tt.terminal, sent, diff)
			}
		}
	}
}

// A paste whose mark of the end is lost or broken ends with Ctrl+C, with a
// pause and at its size; then keys are keys.
func TestPasteEnds(t *testing.T) {
	long := strings.Repeat("x", pasteMax)
	for _, tt := range []struct {
		name string
		sent []string
		want []string
	}{
		{"Ctrl+C", []string{"\x1b[200~abc\x03", "q"}, []string{"<abc>", "ctrl+c", "q"}},
		{"Ctrl+C of an empty one", []string{"\x1b[200~", "\x03"}, []string{"ctrl+c"}},
		{"a pause", []string{"\x1b[200~abc", "", "q"}, []string{"<abc>", "q"}},
		{"its size", []string{"\x1b[200~" + long}, []string{"<" + long + ">"}},
		{"its size, and Ctrl+C", []string{"\x1b[200~" + long, "y\ry\r\x03q"}, []string{"<" + long + ">", "ctrl+c", "q"}},
		{"its size, and a pause", []string{"\x1b[200~" + long + long, long, "", "q"}, []string{"<" + long + ">", "q"}},
		{"its size, and its mark", []string{"\x1b[200~" + long + long + "\x1b[20", "1~q"}, []string{"<" + long + ">", "q"}},
		{"a mark without Esc", []string{"\x1b[200~abc[201~", "", "q"}, []string{"<abc>", "q"}},
		{"a mark without a digit", []string{"\x1b[200~abc\x1b[20~", "", "q"}, []string{"<abc>", "q"}},
		{"a mark without its end", []string{"\x1b[200~abc\x1b[201", "", "q"}, []string{"<abc>", "q"}},
		{"half a character", []string{"\x1b[200~abc\xe6\x97", "", "q"}, []string{"<abc>", "q"}},
		{"a second paste", []string{"\x1b[200~abc", "", "\x1b[200~de\x1b[201~q"}, []string{"<abc>", "<de>", "q"}},
	} {
		if diff := cmp.Diff(tt.want, tell(t, tt.sent...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// An unfinished sequence of any kind does not hold up Ctrl+C.
func TestCtrlCInASequence(t *testing.T) {
	for _, begun := range []string{"\x1b", "\x1b[", "\x1b[1;", "\x1b[[", "\x1bO", "\x1bO5", "\x1b]11;", "\x1bP", "\x1b_x", "\x1b[M ", "\xe6", "\x1b[200~", "\x1bb\x1bb"} {
		got := atOnce(t, begun, "\x03")
		if len(got) == 0 || got[len(got)-1] != "ctrl+c" {
			t.Errorf("%q and Ctrl+C are %q", begun, got)
		}
	}
}

// Whatever comes, cut anywhere, gives the same keys, which are text and do not
// end inside one.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{"a\x1b[A\r\n", "\x1b[200~a\x1b[201~", "\x1b[[A\x1bOp", "\x1b]11;x\x1b\\\xe6\x97\xa5", "\x1b[M\x1b\x1b[\x1b"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, sent []byte, cut int) {
		whole := decode(t, sent)
		at := 0
		if len(sent) > 0 {
			at = int(uint(cut) % uint(len(sent)))
		}
		if got := decode(t, sent[:at], sent[at:]); got != whole {
			t.Errorf("%q is %q, and cut at %d %q", sent, whole, at, got)
		}
		unmarked := strings.NewReplacer(pasteBegin, "", pasteEnd, "")
		if got := rest(t, func(d *Decoder) { d.Flood(sent) }); unmarked.Replace(got) != unmarked.Replace(whole) {
			t.Errorf("%q is %q, and of a flood %q", sent, whole, got)
		}
		if !utf8.ValidString(whole) {
			t.Errorf("%q is %q", sent, whole)
		}
		if strings.Contains(string(sent), "\x03") != strings.Contains(whole, "\x03") {
			t.Errorf("Ctrl+C in %q is lost in %q", sent, whole)
		}
	})
}

func decode(t *testing.T, chunks ...[]byte) string {
	t.Helper()
	return rest(t, func(d *Decoder) {
		for _, chunk := range chunks {
			d.Feed(chunk)
		}
	})
}

// rest is all that a decoder hands out that was fed so.
func rest(t *testing.T, feed func(*Decoder)) string {
	t.Helper()
	var d Decoder
	var out []byte
	p := make([]byte, 7)
	feed(&d)
	if d.Expire(); d.Wait() != 0 {
		t.Error("something is unfinished")
	}
	for n := d.Take(p); n > 0; n = d.Take(p) {
		out = append(out, p[:n]...)
	}
	return string(out)
}

// Text of a flood is a paste; short text and what is no text are keys, as ever.
func TestTextOfAFloodIsAPaste(t *testing.T) {
	long := strings.Repeat("x", runMin)
	for sent, want := range map[string]string{
		long:                             pasteBegin + long + pasteEnd,
		long[1:]:                         long[1:],
		"ab\r\n" + long + "\n\x03":       "ab\r" + pasteBegin + long + pasteEnd + "\r\x03",
		"\x1b[A" + long + "\x1b[B":       "\x1b[A" + pasteBegin + long + pasteEnd + "\x1b[B",
		"\x1b[200~" + long + "\x1b[201~": pasteBegin + long + pasteEnd,
	} {
		if got := rest(t, func(d *Decoder) { d.Flood([]byte(sent)) }); got != want {
			t.Errorf("%q is %q, want %q", sent, got, want)
		}
	}
}

// What the terminal says of its background is handed out as it is, however it is cut; any
// other answer, and one that is longer than a key, is not.
func TestBackgroundIsHandedOut(t *testing.T) {
	for sent, want := range map[string]string{
		"\x1b]11;rgb:ffff/ffff/dddd\x07a":                                "\x1b]11;rgb:ffff/ffff/dddd\x07a",
		"\x1b]11;rgb:ff/ff/dd\x1b\\a":                                    "\x1b]11;rgb:ff/ff/dd\x07a",
		"\x1b]10;rgb:ffff/ffff/dddd\x07a":                                "a",
		"\x1b]11;?\x07a":                                                 "a",
		"\x1b]11;rgb:ffff/ffff/dddd;0\x07a":                              "a",
		"\x1b]11;rgb:ffff/ffff/dddd" + strings.Repeat("d", 99) + "\x07a": "a",
		"\x1b]11;rgb:ffff/ffff/dddd\x18a":                                "a",
		"\x1bP11;rgb:ffff/ffff/dddd\x07a":                                "a",
	} {
		for cut := range len(sent) {
			var d Decoder
			d.Feed([]byte(sent[:cut]))
			d.Feed([]byte(sent[cut:]))
			var got [256]byte
			if n := d.Take(got[:]); string(got[:n]) != want {
				t.Errorf("%q cut at %d: %q, want %q", sent, cut, got[:n], want)
				break
			}
		}
	}
}
