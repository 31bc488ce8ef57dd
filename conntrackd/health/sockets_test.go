package health

import (
	"net/netip"
	"testing"

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
