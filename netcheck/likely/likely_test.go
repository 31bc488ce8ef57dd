package likely

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/netcheck"
)

// port is a port of the host with a carrier, changed by change.
func port(name, address string, change ...func(*netcheck.Interface)) netcheck.Interface {
	i := netcheck.Interface{Name: name, Kind: "physical", Up: true, Carrier: true}
	if address != "" {
		i.Addresses = []netip.Prefix{netip.MustParsePrefix(address)}
	}
	for _, c := range change {
		c(&i)
	}
	return i
}

func TestOf(t *testing.T) {
	t.Parallel()
	outside := func(i *netcheck.Interface) { i.DefaultRoute = true }
	unplugged := func(i *netcheck.Interface) { i.Carrier = false }
	kind := func(kind string) func(*netcheck.Interface) { return func(i *netcheck.Interface) { i.Kind = kind } }
	alias := func(alias string) func(*netcheck.Interface) { return func(i *netcheck.Interface) { i.Alias = alias } }
	carries := func(i *netcheck.Interface) {
		i.Carries = "10.0.1.9, a virtual address of keepalived, is in the network of eth1"
	}
	member := func(i *netcheck.Interface) { i.Master = "bond0" }
	lan, sync := port("eth1", "10.0.1.1/24"), port("eth2", "10.0.0.1/24")
	for name, tt := range map[string]struct {
		list []netcheck.Interface
		want Choice
	}{
		"none":                            {nil, Choice{}},
		"one":                             {[]netcheck.Interface{lan}, Choice{[]string{"eth1"}, true}},
		"only the uplink":                 {[]netcheck.Interface{port("eth0", "192.0.2.1/24", outside)}, Choice{[]string{"eth0"}, false}},
		"the LAN looks like the sync":     {[]netcheck.Interface{lan, sync}, Choice{[]string{"eth1", "eth2"}, true}},
		"not the LAN of keepalived":       {[]netcheck.Interface{port("eth1", "10.0.1.1/24", carries), sync}, Choice{[]string{"eth2"}, true}},
		"not the uplink":                  {[]netcheck.Interface{port("eth0", "10.0.9.1/24", outside), sync}, Choice{[]string{"eth2"}, true}},
		"not what has no carrier":         {[]netcheck.Interface{port("eth1", "10.0.1.1/24", unplugged), sync}, Choice{[]string{"eth2"}, true}},
		"not a member":                    {[]netcheck.Interface{port("eth1", "10.0.1.1/30", member), sync}, Choice{[]string{"eth2"}, true}},
		"a link of two nodes":             {[]netcheck.Interface{lan, port("eth3", "10.0.2.1/30")}, Choice{[]string{"eth3"}, true}},
		"a public address is less likely": {[]netcheck.Interface{port("eth1", "198.51.100.1/24"), sync}, Choice{[]string{"eth2"}, true}},
		"a wide network is less likely":   {[]netcheck.Interface{port("eth1", "10.8.0.1/16"), sync}, Choice{[]string{"eth2"}, true}},
		"an address was made ready":       {[]netcheck.Interface{port("eth1", ""), sync}, Choice{[]string{"eth2"}, true}},
		"a link-local one was not":        {[]netcheck.Interface{port("eth1", "fe80::1/64"), port("eth3", "")}, Choice{[]string{"eth1", "eth3"}, true}},
		"IPv6":                            {[]netcheck.Interface{port("eth1", "2001:db8::1/64"), port("eth2", "fd00::1/64")}, Choice{[]string{"eth2"}, true}},
		"a bridge may lead nowhere":       {[]netcheck.Interface{port("br0", "10.0.1.1/24", kind("bridge")), sync}, Choice{[]string{"eth2"}, true}},
		"the operator named it":           {[]netcheck.Interface{port("eth3", "10.0.2.1/30"), port("eth4", "10.0.4.1/24", alias("HA link"))}, Choice{[]string{"eth4"}, true}},
		"a name that holds the letters":   {[]netcheck.Interface{port("lan", "10.0.1.1/24", alias("shared")), sync}, Choice{[]string{"lan", "eth2"}, true}},
	} {
		if diff := cmp.Diff(tt.want, Of(tt.list)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Choice{"": {Names: []string{"a", "b"}}, "a": {Names: []string{"a"}}} {
		if got := c.Only(); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
	if got := (Choice{}).Only(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
