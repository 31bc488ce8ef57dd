package tui

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A command breaks at spaces only, unless a word is longer than the line.
func TestWrapKeepsFlagsWhole(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"connsync apply --interface eth1 --current-ip 10.0.0.102/24", 40, []string{"connsync apply --interface eth1", "--current-ip 10.0.0.102/24"}},
		{"run nft --file now", 9, []string{"run nft", "--file", "now"}},
		{"a well-known-and-long-word", 10, []string{"a", "well-known", "-and-long-", "word"}},
		{"\u00e9t\u00e9 --yes", 8, []string{"\u00e9t\u00e9", "--yes"}},
	} {
		if diff := cmp.Diff(tt.want, wrap(tt.text, tt.width)); diff != "" {
			t.Errorf("%q in %d cells (-want +got):\n%s", tt.text, tt.width, diff)
		}
	}
}
