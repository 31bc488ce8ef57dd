package netcheck

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/netcheck/packet"
)

func hexBytes(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARPRequest(t *testing.T) {
	t.Parallel()
	got := arpRequest(net.HardwareAddr{2, 0, 0, 0, 0, 1}, [4]byte{10, 9, 0, 2})
	want := hexBytes(t, "0001 0800 06 04 0001 020000000001 00000000 000000000000 0a090002")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARPOwner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, packet, want string }{
		{"reply", "0001 0800 06 04 0002 020000000002 0a090002 020000000001 00000000", "02:00:00:00:00:02"},
		{"gratuitous request", "0001 0800 06 04 0001 020000000002 0a090002 000000000000 0a090002", "02:00:00:00:00:02"},
		{"a question from the owner", "0001 0800 06 04 0001 020000000002 0a090002 000000000000 0a090007", "02:00:00:00:00:02"},
		{"another's probe for it", "0001 0800 06 04 0001 020000000002 00000000 000000000000 0a090002", ""},
		{"another's question for it", "0001 0800 06 04 0001 020000000002 0a090003 000000000000 0a090002", ""},
		{"another's reply", "0001 0800 06 04 0002 020000000002 0a090003 020000000001 0a090002", ""},
		{"with padding", "0001 0800 06 04 0002 020000000002 0a090002 020000000001 00000000 000000000000", "02:00:00:00:00:02"},
		{"too short", "0001 0800 06 04 0002 020000000002 0a090002 020000000001 000000", ""},
		{"not for IPv4", "0001 86dd 06 04 0002 020000000002 0a090002 020000000001 00000000", ""},
		{"long addresses", "0020 0800 14 04 0002 020000000002 0a090002 020000000001 00000000", ""},
		{"nothing", "", ""},
	} {
		got := ""
		if mac, ok := arpOwner(hexBytes(t, tt.packet), [4]byte{10, 9, 0, 2}); ok {
			got = mac.String()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestNeighbourSolicitation(t *testing.T) {
	t.Parallel()
	own := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	got, to, err := neighbourSolicitation(own, netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fd09::1234:5678"))
	if err != nil {
		t.Fatal(err)
	}
	want := hexBytes(t, "60000000 0020 3a ff fe800000000000000000000000000001 ff0200000000000000000001ff345678"+
		"87 00 cafe 00000000 fd090000000000000000000012345678 0101 020000000001")
	copy(want[42:44], got[42:44]) // the checksum, which the kernel of the peer verifies in other tests
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if to.String() != "33:33:ff:34:56:78" {
		t.Errorf("to %v", to)
	}
	// RFC 4862, 5.4.2: nothing that names us.
	got, _, err = neighbourSolicitation(own, netip.IPv6Unspecified(), netip.MustParseAddr("fd09::1"))
	if err != nil || len(got) != packet.IPv6HeaderSize+packet.NDOptionsAt || strings.Contains(string(got), string(own)) {
		t.Errorf("from nobody: % x, %v", got, err)
	}
}

func TestNDOwner(t *testing.T) {
	t.Parallel()
	const (
		header = "60000000 0020 3a ff fd090000000000000000000000000002 ff020000000000000000000000000001"
		target = "fd090000000000000000000000000002"
		frame  = "02:00:00:00:00:0f"
	)
	for _, tt := range []struct{ name, packet, want string }{
		{"with the option", header + "88 00 0000 20000000" + target + "0201 020000000002", "02:00:00:00:00:02"},
		{"without", header + "88 00 0000 60000000" + target, frame},
		{"after another option", header + "88 00 0000 20000000" + target + "0e01 000000000000 0201 020000000002", "02:00:00:00:00:02"},
		{"option cut", header + "88 00 0000 20000000" + target + "0202 020000000002", frame},
		{"option of length 0", header + "88 00 0000 20000000" + target + "0200 020000000002", frame},
		{"another's", header + "88 00 0000 20000000 fd090000000000000000000000000003 0201 020000000002", ""},
		{"a solicitation", header + "87 00 0000 00000000" + target, ""},
		{"from beyond a router", strings.Replace(header, "3a ff", "3a fe", 1) + "88 00 0000 20000000" + target, ""},
		{"not ICMPv6", strings.Replace(header, "3a ff", "11 ff", 1) + "88 00 0000 20000000" + target, ""},
		{"cut", header + "88 00 0000 20000000 fd09", ""},
	} {
		mac, err := net.ParseMAC(frame)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if mac, ok := ndOwner(hexBytes(t, tt.packet), mac, netip.MustParseAddr("fd09::2")); ok {
			got = mac.String()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSolicitationSource(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	link := func(addresses ...string) Interface {
		var i Interface
		for _, a := range addresses {
			i.Addresses = append(i.Addresses, netip.MustParsePrefix(a))
		}
		return i
	}
	failed := link("fe80::1/64", "fd09::1/64")
	failed.DADFailed = []netip.Addr{addr("fe80::1")}
	tentative := link("fe80::1/64", "10.9.0.1/24")
	tentative.Tentative = []netip.Addr{addr("fe80::1")}
	for _, tt := range []struct {
		name             string
		link             Interface
		never, otherwise netip.Addr
		want             netip.Addr
	}{
		{"link-local first", link("fd09::1/64", "fe80::1/64"), addr("fd09::1"), netip.IPv6Unspecified(), addr("fe80::1")},
		{"never the one asked for", link("fe80::1/64"), addr("fe80::1"), netip.IPv6Unspecified(), netip.IPv6Unspecified()},
		{"another global one", link("fd09::1/64", "fd09::2/64"), addr("fd09::1"), netip.IPv6Unspecified(), addr("fd09::2")},
		{"not a failed one", failed, netip.Addr{}, netip.Addr{}, addr("fd09::1")},
		{"not a tentative one", tentative, netip.Addr{}, netip.Addr{}, netip.Addr{}},
		{"none", link("10.9.0.1/24"), netip.Addr{}, netip.Addr{}, netip.Addr{}},
	} {
		if got := solicitationSource(tt.link, tt.never, tt.otherwise); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestParseRefusal(t *testing.T) {
	t.Parallel()
	// struct cmsghdr of 64-bit Linux, then sock_extended_err, then the offender.
	admin4 := "2c00000000000000 00000000 0b000000" + "71000000 02 03 0d 00 00000000 00000000" + "0200 0000 0a090002 0000000000000000" + "00000000"
	local := "2c00000000000000 00000000 0b000000" + "5a000000 01 00 00 00 dc050000 00000000" + "0000 0000 00000000 0000000000000000" + "00000000"
	admin6 := "3c00000000000000 29000000 19000000" + "0d000000 03 01 01 00 00000000 00000000" + "0a00 0000 00000000 fd090000000000000000000000000002 00000000" + "00000000"
	for _, tt := range []struct {
		name, control string
		want          refusal
		prohibited    bool
		ok            bool
	}{
		{"IPv4 prohibited", admin4, refusal{errno: unix.EHOSTUNREACH, kind: 3, code: 13, offender: netip.MustParseAddr("10.9.0.2")}, true, true},
		{"too large here", local, refusal{errno: unix.EMSGSIZE}, false, true},
		{"IPv6 prohibited", admin6, refusal{errno: unix.EACCES, kind: 1, code: 1, offender: netip.MustParseAddr("fd09::2")}, true, true},
		{"nothing", "", refusal{}, false, false},
	} {
		got, ok := parseRefusal(hexBytes(t, tt.control))
		if ok != tt.ok {
			t.Errorf("%s: %v", tt.name, ok)
			continue
		}
		if !ok {
			continue
		}
		if diff := cmp.Diff(tt.want, *got, cmp.AllowUnexported(refusal{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if got.prohibited() != tt.prohibited || !errors.Is(got, tt.want.errno) || got.Error() == "" {
			t.Errorf("%s: prohibited %v, %v", tt.name, got.prohibited(), got)
		}
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ low, high int }{{52, 9001}, {1500, 1504}, {1500, 1502}, {72, 65536}, {1280, 1281}} {
		for _, usual := range []bool{true, false} {
			sizes := between(tt.low, tt.high, usual)
			for i, s := range sizes {
				if s <= tt.low || s >= tt.high || i > 0 && s <= sizes[i-1] {
					t.Errorf("%d in %v between %d and %d", s, sizes, tt.low, tt.high)
				}
			}
			if len(sizes) == 0 && tt.high-tt.low > 1 {
				t.Errorf("nothing to try between %d and %d", tt.low, tt.high)
			}
		}
	}
	// However unlucky, the rounds suffice for the largest interface there is.
	for _, path := range []int{100, 576, 1281, 1499, 1503, 2304, 4352, 9216, 16384, 32767, 65534} {
		low, high := 52, 65536
		for round := 0; round < mtuRounds && high-low > 1; round++ {
			for _, s := range between(low, high, round == 0) {
				if s <= path {
					low = max(low, s)
				} else {
					high = min(high, s)
				}
			}
		}
		if low != path || high != path+1 {
			t.Errorf("a path of %d is found as %d", path, low)
		}
	}
}

// What a probe of a healthy pair costs; most of duplicate-address is the wait
// for an owner, most of peer-link the wait for a second one.
func BenchmarkProbes(b *testing.B) {
	for _, family := range []int{4, 6} {
		n := newTestNet(b, 0)
		n.settle(n.own, n.peer)
		target := n.families[family]
		n.listen(n.peer, at(target.Peer))
		checks := Plan(target)
		for _, c := range checks {
			if c.ID == CheckPeerPing { // its goroutines would be outside
				continue
			}
			b.Run(string(c.ID)+"/ipv"+map[int]string{4: "4", 6: "6"}[family], func(b *testing.B) {
				err := n.own.Do(func() error {
					for b.Loop() {
						c.Run(b.Context())
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

// How long until the owner of an address is known.
func BenchmarkAsk(b *testing.B) {
	n := newTestNet(b, 0)
	n.settle(n.own, n.peer)
	for _, family := range []int{4, 6} {
		target := n.families[family]
		b.Run(target.resolution(), func(b *testing.B) {
			err := n.own.Do(func() error {
				link, err := linkWithAddresses(b.Context(), "eth1")
				if err != nil {
					return err
				}
				q, err := peerInquiry(target, link)
				q.settle = 0
				var waited time.Duration
				for b.Loop() {
					got, err := q.ask(b.Context())
					if err != nil || len(got.owners) != 1 {
						b.Fatalf("%v, %v", got, err)
					}
					waited += got.after
				}
				b.ReportMetric(float64(waited.Microseconds())/float64(b.N), "µs-to-answer/op")
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
