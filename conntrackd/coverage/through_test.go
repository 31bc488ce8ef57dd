package coverage

import (
	"net/netip"
	"testing"
)

// What passes through a network is told from what is a node's own, of a network elsewhere,
// or of a group.
func TestThrough(t *testing.T) {
	t.Parallel()
	const udp = " --sport 1 --dport 2 -t 600"
	for name, tt := range map[string]struct {
		entry string
		want  bool
	}{
		"from a host in it":   {"-I -p udp -s 10.1.0.9 -d 10.2.0.9" + udp, true},
		"to a host in it":     {"-I -p udp -s 10.2.0.9 -d 10.1.0.9" + udp, true},
		"the node's own":      {"-I -p udp -s 10.1.0.1 -d 10.2.0.9" + udp, false},
		"to the peer":         {"-I -p udp -s 10.2.0.9 -d 10.1.0.2" + udp, false},
		"of networks beside":  {"-I -p udp -s 10.3.0.9 -d 10.2.0.9" + udp, false},
		"to a group":          {"-I -p udp -s 10.1.0.9 -d 224.0.0.18" + udp, false},
		"a node's own report": {"-I -p udp -s 198.51.100.1 -d 198.51.100.2" + udp, false},
	} {
		t.Run(name, func(t *testing.T) {
			ns := loaded(t, tt.entry)
			network, idle := netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("10.9.0.0/24")
			var found map[netip.Prefix]Entry
			err := ns.Do(func() (err error) {
				found, err = Through(t.Context(), []netip.Prefix{idle, network}, netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.2"))
				return err
			})
			_, some := found[network]
			_, other := found[idle]
			if err != nil || some != tt.want || other {
				t.Errorf("found %v, %v; want %v", found, err, tt.want)
			}
		})
	}
}
