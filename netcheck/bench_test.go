package netcheck

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"connsync/lab"
)

// manyInterfaces fills a namespace with interfaces that have an address each.
func manyInterfaces(b *testing.B, count int) *lab.Namespace {
	b.Helper()
	n, err := lab.NewNamespace()
	if err != nil {
		b.Fatalf("this benchmark makes network namespaces and needs root: %v", err)
	}
	b.Cleanup(func() { n.Close() })
	var script strings.Builder
	script.WriteString("link add base type veth peer name other\n")
	for i := range count {
		fmt.Fprintf(&script, "link add m%d link base type macvlan mode bridge\naddress add 10.%d.%d.1/24 dev m%d\n", i, i>>8, i&0xff, i)
	}
	cmd := n.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("make %d interfaces: %v: %s", count, err, out)
	}
	return n
}

// BenchmarkInterfaces sets the dumps against the two ways that ask for the
// addresses of one interface after the other.
func BenchmarkInterfaces(b *testing.B) {
	ways := []struct {
		name string
		list func(b *testing.B) (int, error)
	}{
		{"dumps", func(b *testing.B) (int, error) {
			list, err := Interfaces(b.Context())
			return len(list), err
		}},
		{"per-link", func(*testing.B) (int, error) {
			links, err := netlink.LinkList()
			for _, l := range links {
				if _, err := netlink.AddrList(l, netlink.FAMILY_ALL); err != nil {
					return 0, err
				}
			}
			return len(links), err
		}},
		{"standard-library", func(*testing.B) (int, error) {
			list, err := net.Interfaces()
			for _, i := range list {
				if _, err := i.Addrs(); err != nil {
					return 0, err
				}
			}
			return len(list), err
		}},
	}
	for _, count := range []int{10, 100, 1000, 4000} {
		n := manyInterfaces(b, count)
		for _, way := range ways {
			b.Run(fmt.Sprintf("%d/%s", count, way.name), func(b *testing.B) {
				b.ReportAllocs()
				err := n.Do(func() error {
					for range b.N {
						if got, err := way.list(b); err != nil || got < count {
							return fmt.Errorf("%d interfaces of %d: %w", got, count, err)
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkSameSubnet is what every keystroke in an address field costs.
func BenchmarkSameSubnet(b *testing.B) {
	current, peer := prefix("10.0.0.101/24"), prefix("10.0.0.102/16")
	for b.Loop() {
		SameSubnet(current, peer)
	}
}

// BenchmarkPlan is the whole of the checks, and how much longer than the
// slowest of them it takes: they are done side by side. A healthy pair's
// slowest waits for another owner of Current IP, a dead peer's for the peer.
func BenchmarkPlan(b *testing.B) {
	for _, family := range []int{4, 6} {
		for _, peer := range []string{"healthy", "dead"} {
			b.Run(fmt.Sprintf("%s/ipv%d", peer, family), func(b *testing.B) {
				n := newTestNet(b, 0)
				n.settle(n.own, n.peer)
				target := n.families[family]
				n.listen(n.peer, at(target.Peer))
				if peer == "dead" {
					if err := n.sync.Cut("peer"); err != nil {
						b.Fatal(err)
					}
				}
				var sum duration
				for b.Loop() {
					var d duration
					if err := lab.Call(b.Context(), n.own, "time", target, &d); err != nil {
						b.Fatal(err)
					}
					sum.Whole += d.Whole
					sum.Slowest += d.Slowest
				}
				b.ReportMetric(float64(sum.Whole)/float64(sum.Slowest), "x-slowest")
				b.ReportMetric(float64(sum.Whole.Milliseconds())/float64(b.N), "ms/plan")
			})
		}
	}
}
