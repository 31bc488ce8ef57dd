package spare

import (
	"testing"

	"connsync/netcheck"
)

func TestSharedWire(t *testing.T) {
	interfaces := []netcheck.Interface{
		{Name: "eth1"}, {Name: "eth2"}, {Name: "eth1.10", Kind: "vlan", Parent: "eth1"}, {Name: "eth1.20", Kind: "vlan", Parent: "eth1"},
		{Name: "mac0", Kind: "macvlan", Parent: "eth1.20"}, {Name: "loop0", Parent: "loop1"}, {Name: "loop1", Parent: "loop0"},
	}
	for _, tt := range []struct{ a, b, want string }{
		{"eth1", "eth2", ""}, {"eth1", "eth1", "eth1"}, {"eth1.10", "eth1.20", "eth1"}, {"eth1.10", "eth1", "eth1"}, {"mac0", "eth1.10", "eth1"},
		{"mac0", "eth2", ""}, {"eth9", "eth1", ""}, {"loop0", "eth1", ""},
	} {
		if got := sharedWire(interfaces, tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}
