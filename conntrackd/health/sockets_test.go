package health

import (
	"net/netip"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
)

func TestMatchSocketsElsewhere(t *testing.T) {
	open := func(addresses ...string) []udpSocket {
		var found []udpSocket
		for i, a := range addresses {
			found = append(found, udpSocket{local: netip.MustParseAddrPort(a), descriptor: i})
		}
		return found
	}
	for name, tt := range map[string]struct {
		found []udpSocket
		want  string
	}{
		"other port, and what sends":  {open("0.0.0.0:34298", "10.77.0.1:3790"), "10.77.0.1:3790"},
		"every address":               {open("0.0.0.0:34298", "0.0.0.0:3780"), "0.0.0.0:3780"},
		"every address, another port": {open("0.0.0.0:3790"), "0.0.0.0:3790"},
		"two links":                   {open("10.77.0.1:3790", "[fd00::1]:3790"), "10.77.0.1:3790, [fd00::1]:3790"},
		"none":                        {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := matchSockets(tt.found, conntracktest.Settings()); got.Bound || got.Address != tt.want {
				t.Errorf("bound %v at %q; want not bound, and %q", got.Bound, got.Address, tt.want)
			}
		})
	}
}

// For a group the daemon's socket is bound to every address.
func TestMatchSocketsOfAGroup(t *testing.T) {
	four, six := conntracktest.Settings(), conntracktest.Settings()
	four.Transport, four.MulticastGroup = "multicast", "225.0.0.50"
	six.Transport, six.MulticastGroup = "multicast", "ff05::50"
	for _, tt := range []struct {
		settings conntrackd.Settings
		at       string
		bound    bool
		listen   string
	}{
		{four, "0.0.0.0:3780", true, "225.0.0.50:3780"},
		{four, "10.77.0.1:3780", false, "225.0.0.50:3780"},
		{four, "0.0.0.0:3781", false, "225.0.0.50:3780"},
		{six, "[::]:3780", true, "[ff05::50]:3780"},
		{six, "0.0.0.0:3780", false, "[ff05::50]:3780"},
	} {
		got := matchSockets([]udpSocket{{local: netip.MustParseAddrPort(tt.at)}}, tt.settings)
		if got.Bound != tt.bound || ListenAddress(tt.settings) != tt.listen {
			t.Errorf("group %s, a socket at %s: %+v, said to listen on %s", tt.settings.MulticastGroup, tt.at, got, ListenAddress(tt.settings))
		}
	}
}
