package console

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilter(t *testing.T) {
	tests := []struct {
		name string
		alt  bool
		in   []string // one entry a Write
		want string
	}{
		{"text", false, []string{"Port 3780\r\n"}, "Port 3780\r\n"},
		{"moves and erase stay", false, []string{"\x1b[2;5H\x1b[K\x1b[3C\x1b[4h\x1b[4l\x1bM"}, "\x1b[2;5H\x1b[K\x1b[3C\x1b[4h\x1b[4l\x1bM"},
		{"reset stays", false, []string{"\x1b[m\x1b[7mX"}, "\x1b[m\x1b[7mX"},
		{"keyboard modes", false, []string{"a\x1b[>4;2m\x1b[>1u\x1b[?u\x1b[<1u\x1b[=1cb"}, "ab"},
		{"queries", false, []string{"a\x1b[?2026$p\x1b[?2027$p\x1b]11;?\x1b\\\x1b]11;?\x07b"}, "ab"},
		{"modes", false, []string{"a\x1b[?1049h\x1b[?2004h\x1b[?5W\x1b[1 qb\x1b[?1049l"}, "ab"},
		{"alternate screen where known", true, []string{"\x1b[?1049hx\x1b[?2004h\x1b[?1049l"}, "\x1b[?1049hx\x1b[?1049l"},
		{"device control string", false, []string{"a\x1bP+q5463\x1b\\b\x1b_x\x1b\\c"}, "abc"},
		{"character sets", false, []string{"a\x1b(0b\x1b)Bc"}, "abc"},
		{"cursor round a frame", false, []string{"\x1b[?25lx\x1b[?25h"}, "x"},
		{"cursor hidden at last", false, []string{"\x1b[?25lx", "y", "\x1b[?25hz"}, "x\x1b[?25lyz\x1b[?25h"},
		{"split anywhere", false, []string{"a\x1b", "[>4;", "2mb\x1b]0;ti", "tle\x1b", "\\c\x1b[1", "Cd"}, "abc\x1b[1Cd"},
		{"nothing left", false, []string{"\x1b[?2004h"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			f := newFilter(w, tt.alt, nil)
			for _, s := range tt.in {
				if n, err := f.Write([]byte(s)); err != nil || n != len(s) {
					t.Fatalf("Write(%q) = %d, %v", s, n, err)
				}
			}
			w.Close()
			got, _ := io.ReadAll(r)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a program writes, what comes out is text, plain control sequences
// and two-byte escapes.
func FuzzFilter(f *testing.F) {
	f.Add([]byte("\x1b[>4;2m\x1b[?25lx\x1b]11;?\x1b\\y\x1b[2;3H"), 3)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		out := make(chan string)
		go func() {
			b, _ := io.ReadAll(r)
			r.Close()
			out <- string(b)
		}()
		flt := newFilter(w, false, nil)
		cut = max(0, min(cut, len(p)))
		flt.Write(p[:cut])
		flt.Write(p[cut:])
		w.Close()
		got := <-out
		for _, bad := range []string{"\x1b[>", "\x1b[<", "\x1b[=", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1b("} {
			if strings.Contains(got, bad) {
				t.Errorf("%q let %q through in %q", p, bad, got)
			}
		}
	})
}
