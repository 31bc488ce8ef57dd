package tui

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// What a screen shows of the other node's command is read back as it is broken
// there.
func TestPeerLineOfTheScreen(t *testing.T) {
	e := &env{table: conntrackd.NewSettingTable(), glyphs: ASCIIGlyphs()}
	s := savedSettings()
	for _, tc := range []struct {
		width  int
		end    string
		cached bool
	}{{40, "\n", false}, {80, "\r", false}, {60, "\r\n", true}} {
		s.ExternalCache = tc.cached
		got, err := text.ParsePeerLine(conntrackd.NewSettingTable(), strings.Join(peerLines(e, s, tc.width), tc.end))
		if err != nil {
			t.Errorf("%d columns: %v", tc.width, err)
			continue
		}
		want := s
		want.Current, want.Peer = s.Peer, s.Current
		if diff := cmp.Diff(want.Values(), got); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", tc.width, diff)
		}
	}
}
