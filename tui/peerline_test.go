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
	linked, problems := text.ParseSettings(e.table, e.table.Values(s).With(conntrackd.FieldSpareLinks, "ens224 fd00:0:0:8::101/64 fd00:0:0:8::102/64 3781 65536 65536"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, tc := range []struct {
		width  int
		end    string
		cached bool
		spares conntrackd.SpareLinks
	}{
		{40, "\n", false, s.SpareLinks}, {80, "\r", false, s.SpareLinks}, {60, "\r\n", true, s.SpareLinks},
		{40, "\n", false, linked.SpareLinks}, {80, "\n", false, linked.SpareLinks}, {60, "\n", false, linked.SpareLinks},
		{unbroken, "\n", false, linked.SpareLinks},
	} {
		s.ExternalCache, s.SpareLinks = tc.cached, tc.spares
		got, err := text.ParsePeerLine(conntrackd.NewSettingTable(), strings.Join(peerLines(e, s, tc.width), tc.end))
		if err != nil {
			t.Errorf("%d columns: %v", tc.width, err)
			continue
		}
		want := s
		want.Current, want.Peer = s.Peer, s.Current
		for i, l := range s.Spares() {
			want.SpareLinks[i].Current, want.SpareLinks[i].Peer = l.Peer, l.Current
		}
		if diff := cmp.Diff(want.Values(), got); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", tc.width, diff)
		}
	}
}
