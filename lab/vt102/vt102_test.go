package vt102

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInsertMode(t *testing.T) {
	s := New(10, 2)
	defer s.Close()
	s.Write([]byte("abef\x1b[1;3H\x1b[4hcd\x1b[4l\x1b[2;1Hx\x1b[2"))
	s.Write([]byte(";4Hy"))
	if got, want := s.String(), "abcdef\nx  y\n"; got != want {
		t.Errorf("the screen shows %q, want %q", got, want)
	}
	if x, y := s.Cursor(); x != 4 || y != 1 {
		t.Errorf("the cursor is at %d,%d, want 4,1", x, y)
	}
}

func TestForeign(t *testing.T) {
	for _, known := range []string{
		"", "Port 3780\r\n\b", "\x0f\x1b[m\x1b[r\x1b[4l\x1b[H\x1b[2J", "\x1b[2;5H\x1b[K\x1b[3C\x1bM", "\x1b7\x1b[999;999H\x1b[6n\x1b8", "\x1b[0;1;31mX\x1b[m",
	} {
		if err := Foreign([]byte(known)); err != nil {
			t.Errorf("%q: %v", known, err)
		}
	}
	for _, strange := range []string{
		"\x1b[?25l", "\x1b[?1049h", "\x1b[>4;2m", "\x1b[1 q", "\x1b[?2026$p", "\x1b]11;?\x07", "\x1bP+q\x1b\\", "\x1b(0", "\x0e", "\x07",
		"\xe2\x94\x80", "\x9b1m", "\x1b[4h", "\x1b[3P", "\x1b[3G", "\x1b[3d", "\x1b[3X", "\x1b[2@", "a\x1b", "a\x1b[1", "\x00", "\x7f", "\t",
	} {
		if Foreign([]byte(strange)) == nil {
			t.Errorf("%q passes", strange)
		}
	}
}

func TestRuns(t *testing.T) {
	s := New(40, 3)
	defer s.Close()
	if _, err := s.Write([]byte(" a b   \x1b[32mok\x1b[m 1\x1b[K\r\n\x1b[7m x  y \x1b[m z\x1b[1m!\r\n\x1b[m\x1b[30;46m x  y \x1b[mz")); err != nil {
		t.Fatal(err)
	}
	want := [][]Run{
		{{Column: 1, Text: "a b", Colour: -1, Behind: -1}, {Column: 7, Text: "ok", Colour: 2, Behind: -1}, {Column: 10, Text: "1", Colour: -1, Behind: -1}},
		{{Text: " x  y ", Reverse: true, Colour: -1, Behind: -1}, {Column: 7, Text: "z", Colour: -1, Behind: -1}, {Column: 8, Text: "!", Bold: true, Colour: -1, Behind: -1}},
		{{Text: " x  y ", Colour: 0, Behind: 6}, {Column: 6, Text: "z", Colour: -1, Behind: -1}},
	}
	if diff := cmp.Diff(want, s.Runs()); diff != "" {
		t.Error(diff)
	}
}
