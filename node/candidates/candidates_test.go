package candidates

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
	"connsync/netcheck"
)

// A connection that passes through the network of an interface is told, one of this node
// itself is not, and nothing is looked for where something speaks against an interface.
func TestConnections(t *testing.T) {
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	defer ns.Close()
	load := ns.Command("conntrack", "-R", "/dev/stdin")
	load.Stdin = strings.NewReader("-I -p udp -s 10.0.1.9 -d 198.51.100.7 --sport 1 --dport 53 -t 600\n" +
		"-I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 53 -t 600\n")
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	on := func(name, address string, outside bool) netcheck.Interface {
		return netcheck.Interface{Name: name, Up: true, Carrier: true, DefaultRoute: outside, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	list := []netcheck.Interface{on("eth0", "198.51.100.1/24", true), on("eth1", "10.0.1.1/24", false), on("eth2", "10.0.0.1/24", false)}
	var got map[string]string
	if err := ns.Do(func() error {
		got = connections(t.Context(), list)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"eth1": "the connection from 10.0.1.9 to 198.51.100.7 passes through the network of eth1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
