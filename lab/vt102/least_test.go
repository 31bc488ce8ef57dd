package vt102

import "testing"

func TestLeast(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     int
	}{
		{"", "", 0}, {"same", "same", 0},
		{"", "Port", 2 + 4}, {"", "Port 3780", 2 + 9}, {"", "Port      3780", 2 + 4 + 4 + 4},
		{"", "one\ntwo", 2 + 3 + 2 + 3},
		{"Port 3780", "Port", 3}, {"abcd", "abc", 3}, {"abcd", "xbcd", 3},
		{"one two three four", "one                four", 3 + 4 + 4},
	} {
		if got := Least(tt.from, tt.to); got != tt.want {
			t.Errorf("Least(%q, %q) = %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}
