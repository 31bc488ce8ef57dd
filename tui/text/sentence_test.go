package text

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
)

// A change is told by what it means for the pair, and warns where sync ends or stops.
func TestConsequence(t *testing.T) {
	on, off := conntrackd.Running{Active: true, Enabled: true}, conntrackd.Running{}
	standing := func(running conntrackd.Running, change func(*conntrackd.Settings)) apply.Standing {
		s := pairSettings()
		s.Enabled = running == on
		if change != nil {
			change(&s)
		}
		return apply.Standing{Settings: s, Running: running}
	}
	port := func(s *conntrackd.Settings) { s.Port = 3790 }
	peer := func(s *conntrackd.Settings) { s.Peer = netip.MustParsePrefix("10.0.0.103/24") }
	buffer := func(s *conntrackd.Settings) { s.SendBuffer = 131072 }
	noLink := &apply.Standing{Running: on}    // a daemon that keeps statistics
	statistics := apply.Standing{Running: on} // Debian's own file
	tcp := apply.Standing{Running: on, OtherLink: "TCP on eth1"}
	alone := standing(on, nil)
	alone.Alone = true
	heard := func(heard bool) apply.Standing {
		s := standing(on, port)
		s.Heard = &heard
		return s
	}
	before := func(r conntrackd.Running) *apply.Standing { s := standing(r, nil); return &s }
	linked := standing(on, func(s *conntrackd.Settings) { s.SpareLinks = spareLinks() })
	swapped := linked
	swapped.Settings, _ = linked.Settings.WithDefaultLink("eth2")
	for name, tc := range map[string]struct {
		before       *apply.Standing
		after        apply.Standing
		future, past string
		warns        bool
	}{
		"on":                {before(off), standing(on, nil), "Sync will be ENABLED over eth1 with 10.0.0.102.", "Sync was ENABLED over eth1 with 10.0.0.102.", false},
		"crashed":           {before(conntrackd.Running{Enabled: true}), standing(on, nil), "Sync will be ENABLED over eth1 with 10.0.0.102.", "Sync was ENABLED over eth1 with 10.0.0.102.", false},
		"no link before":    {noLink, standing(on, nil), "Sync will be ENABLED over eth1 with 10.0.0.102.", "Sync was ENABLED over eth1 with 10.0.0.102.", false},
		"not known":         {nil, standing(on, nil), "Sync will be ENABLED over eth1 with 10.0.0.102.", "Sync was ENABLED over eth1 with 10.0.0.102.", false},
		"off":               {before(on), standing(off, nil), "Sync will be turned OFF. Connections will not survive a failover.", "Sync was turned OFF.", true},
		"no link after":     {before(on), statistics, "Sync will be turned OFF. Connections will not survive a failover.", "Sync was turned OFF.", true},
		"no file after":     {before(on), apply.Standing{}, "Sync will be turned OFF. Connections will not survive a failover.", "Sync was turned OFF.", true},
		"statistics, twice": {noLink, statistics, "Sync stays OFF; conntrackd runs without a sync link.", "Sync stayed OFF; conntrackd runs without a sync link.", false},
		"statistics end":    {noLink, standing(off, nil), "Sync stays OFF; conntrackd is stopped, which ran without a sync link.", "Sync stayed OFF; conntrackd is stopped, which ran without a sync link.", false},
		"off, no link":      {before(off), apply.Standing{}, "Sync stays OFF.", "Sync stayed OFF.", false},
		"another transport": {before(on), tcp, "Sync will run over TCP on eth1, a link that connsync does not manage.", "Sync was set to run over TCP on eth1, a link that connsync does not manage.", true},
		"of that transport": {&tcp, standing(off, nil), "Sync will be turned OFF. Connections will not survive a failover.", "Sync was turned OFF.", true},
		"half off":          {before(conntrackd.Running{Active: true}), standing(off, nil), "Sync will be turned OFF. Connections will not survive a failover.", "Sync was turned OFF.", true},
		"off, not known":    {nil, standing(off, nil), "Sync will be turned OFF. Connections will not survive a failover.", "Sync was turned OFF.", true},
		"stays off":         {before(off), standing(off, port), "Sync stays OFF; the settings are saved for later.", "Sync stayed OFF; the settings are saved for later.", false},
		"stays on":          {before(on), standing(on, nil), "Sync stays ENABLED over eth1 with 10.0.0.102.", "Sync stayed ENABLED over eth1 with 10.0.0.102.", false},
		"port":              {before(on), standing(on, port), "Port 3780 -> 3790: sync works only with a peer that is set up to match; whether it is, is unknown.", "Port 3780 -> 3790.", true},
		"port first":        {before(on), heard(false), "Port 3780 -> 3790: sync stops until the peer has the same.", "Port 3780 -> 3790.", true},
		"peer":              {before(on), standing(on, peer), "Peer IP 10.0.0.102/24 -> 10.0.0.103/24: sync works only with a peer that is set up to match; whether it is, is unknown.", "Peer IP 10.0.0.102/24 -> 10.0.0.103/24.", true},
		"buffer":            {before(on), standing(on, buffer), "Send Buffer Size 65536 -> 131072: sync pauses while conntrackd restarts.", "Send Buffer Size 65536 -> 131072.", false},
		"default link":      {&linked, swapped, "Interface Name eth1 -> eth2, Current IP 10.0.0.101/24 -> 10.1.0.101/24, Peer IP 10.0.0.102/24 -> 10.1.0.102/24, Port 3780 -> 3781, Send Buffer Size 65536 -> 131072, Receive Buffer Size 65536 -> 131072, Spare Links eth2 10.1.0.101/24 10.1.0.102/24 3781 131072 131072, eth3 fd00::1/64 fd00::2/64 3780 65536 65536 -> eth1 10.0.0.101/24 10.0.0.102/24 3780 65536 65536, eth3 fd00::1/64 fd00::2/64 3780 65536 65536: sync pauses while conntrackd restarts.", "", false},
		"left alone":        {nil, alone, "Only the file is written; conntrackd is left alone.", "Only the file was written; conntrackd is left alone.", false},
	} {
		table := conntrackd.NewSettingTable()
		if tc.past == "" {
			tc.past = strings.Replace(tc.future, ": sync pauses while conntrackd restarts", "", 1)
		}
		want := []Consequence{{tc.future, tc.warns}, {tc.past, tc.warns}}
		if diff := cmp.Diff(want, []Consequence{ConsequenceOf(table, tc.before, tc.after, Future), ConsequenceOf(table, tc.before, tc.after, Past)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// The peer was changed first.
	got := ConsequenceOf(conntrackd.NewSettingTable(), before(on), heard(true), Future)
	if want := (Consequence{"Port 3780 -> 3790: the peer is set up to match already; sync works after conntrackd's restart.", false}); got != want {
		t.Errorf("the second half: %+v, want %+v", got, want)
	}
	// The save that is rolled back may be what stopped the sync.
	got = ConsequenceOf(conntrackd.NewSettingTable(), before(on), standing(on, port), Back)
	if want := (Consequence{"Port 3780 -> 3790, as before the save: sync works with a peer that is set up to match.", false}); got != want {
		t.Errorf("rolled back: %+v, want %+v", got, want)
	}
}
