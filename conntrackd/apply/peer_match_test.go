package apply

import (
	"testing"

	"connsync/conntrackd"
)

func TestPeerHasToMatch(t *testing.T) {
	plain := conntrackd.Defaults()
	with := func(change func(*conntrackd.Settings)) conntrackd.Settings {
		s := plain
		change(&s)
		return s
	}
	group := with(func(s *conntrackd.Settings) { s.Transport, s.MulticastGroup = "multicast", "225.0.0.50" })
	for name, tt := range map[string]struct {
		before, after conntrackd.Settings
		want          bool
	}{
		"nothing":       {plain, plain, false},
		"a buffer":      {plain, with(func(s *conntrackd.Settings) { s.SendBuffer *= 2 }), false},
		"port":          {plain, with(func(s *conntrackd.Settings) { s.Port++ }), true},
		"to multicast":  {plain, group, true},
		"to UDP":        {group, plain, true},
		"same group":    {group, group, false},
		"another group": {group, with(func(s *conntrackd.Settings) { s.Transport, s.MulticastGroup = "multicast", "225.0.0.51" }), true},
	} {
		if got := PeerHasToMatch(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
