package vt102

import "testing"

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
