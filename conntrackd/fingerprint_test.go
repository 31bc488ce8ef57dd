package conntrackd

import (
	"net/netip"
	"testing"
)

// Both nodes have the same digests, and what differs changes the one that it is over.
func TestDigests(t *testing.T) {
	table := NewSettingTable()
	here := Defaults()
	here.Enabled, here.Interface = true, "eth1"
	here.Current, here.Peer = netip.MustParsePrefix("10.0.0.101/24"), netip.MustParsePrefix("10.0.0.102/24")
	there := here
	there.Current, there.Peer, there.Interface = here.Peer, here.Current, "eth7"
	buffers, all := table.Digests(here)
	if b, a := table.Digests(there); b != buffers || a != all || b == 0 || a == 0 {
		t.Errorf("here %d, %d; there %d, %d", buffers, all, b, a)
	}
	bare := there // as a file by hand, whose comments say no length
	bare.Current, bare.Peer = netip.PrefixFrom(there.Current.Addr(), -1), netip.PrefixFrom(there.Peer.Addr(), -1)
	if b, a := table.Digests(bare); b != buffers || a != all {
		t.Errorf("without prefix lengths %d and %d, want %d and %d", b, a, buffers, all)
	}
	for name, test := range map[string]struct {
		edit    func(*Settings)
		buffers bool
	}{
		"send buffer":    {func(s *Settings) { s.SendBuffer *= 4 }, true},
		"receive buffer": {func(s *Settings) { s.ReceiveBuffer *= 4 }, true},
		"cache":          {func(s *Settings) { s.ExternalCache = !s.ExternalCache }, false},
		"port":           {func(s *Settings) { s.Port++ }, false},
	} {
		s := there
		test.edit(&s)
		if b, a := table.Digests(s); b != buffers != test.buffers || a == all {
			t.Errorf("%s: %d, %d; before %d, %d", name, b, a, buffers, all)
		}
	}
}
