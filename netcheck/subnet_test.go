package netcheck

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// prefix reads a prefix, or an address of unknown length, or nothing.
func prefix(s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p
	}
	return netip.PrefixFrom(netip.MustParseAddr(s), -1)
}

func TestSameSubnet(t *testing.T) {
	current := func(message string) []PairProblem { return []PairProblem{{Message: message}} }
	peer := func(message string) []PairProblem { return []PairProblem{{Peer: true, Message: message}} }
	warn := func(message string) []PairProblem { return []PairProblem{{Warning: true, Message: message}} }
	peerWarn := func(message string) []PairProblem {
		return []PairProblem{{Peer: true, Warning: true, Message: message}}
	}
	for _, tt := range []struct {
		current, peer string
		want          []PairProblem
	}{
		{"10.0.0.101/24", "10.0.0.102/24", nil},
		{"10.0.0.101/24", "10.0.0.102", nil},
		{"", "10.0.0.102/24", nil},
		{"10.0.0.101/24", "", nil},
		{"10.0.0.101/24", "10.0.1.102/24", peer("10.0.1.102 is not in 10.0.0.0/24, the subnet of Current IP")},
		{"10.0.0.101/24", "10.0.0.101/24", peer("10.0.0.101 is Current IP itself; the peer has another address")},
		{"10.0.0.101/24", "10.0.0.101/16", peer("10.0.0.101 is Current IP itself; the peer has another address")},
		{"10.0.0.101", "10.0.0.102/24", current("the prefix length of 10.0.0.101 is not known; write it as 10.0.0.101/24")},
		{"fd00::1", "fd00::2/64", current("the prefix length of fd00::1 is not known; write it as fd00::1/64")},
		{"10.0.0.101/0", "10.0.0.102/24", current("the prefix length of 10.0.0.101 cannot be 0")},
		{"10.0.0.101/24", "10.0.0.102/0", peer("the prefix length of 10.0.0.102 cannot be 0")},
		{"10.0.0.101/24", "fd00::2/64", peer("fd00::2 and Current IP 10.0.0.101 are of different families; both must be IPv4 or both IPv6")},
		{"fd00::1/64", "10.0.0.102/24", peer("10.0.0.102 and Current IP fd00::1 are of different families; both must be IPv4 or both IPv6")},

		// Addresses that are no node's.
		{"0.0.0.0/24", "10.0.0.102/24", current("0.0.0.0 is the unspecified address, not a node's")},
		{"10.0.0.101/24", "0.0.0.0/24", peer("0.0.0.0 is the unspecified address, not a node's")},
		{"0.1.2.3/24", "0.1.2.4/24", []PairProblem{
			{Message: "0.1.2.3 is in 0.0.0.0/8, which is not for hosts (RFC 1122)"},
			{Peer: true, Message: "0.1.2.4 is in 0.0.0.0/8, which is not for hosts (RFC 1122)"}}},
		{"10.0.0.101/24", "240.1.1.1/24", peer("240.1.1.1 is in 240.0.0.0/4, which is reserved (RFC 1112)")},
		{"10.0.0.101/24", "255.255.255.255/24", peer("255.255.255.255 is in 240.0.0.0/4, which is reserved (RFC 1112)")},
		{"10.0.0.101/24", "127.0.0.1/24", peer("127.0.0.1 is a loopback address, which no other node can reach")},
		{"10.0.0.101/24", "224.0.0.1/24", peer("224.0.0.1 is a multicast address, not a node's")},
		{"fd00::1/64", "::/64", peer(":: is the unspecified address, not a node's")},
		{"fd00::1/64", "::1/64", peer("::1 is a loopback address, which no other node can reach")},
		{"fd00::1/64", "ff02::1/64", peer("ff02::1 is a multicast address, not a node's")},

		// Network, broadcast and anycast addresses.
		{"10.0.0.101/24", "10.0.0.0/24", peer("10.0.0.0 is the network address of 10.0.0.0/24, not a node's address")},
		{"10.0.0.101/24", "10.0.0.255/24", peer("10.0.0.255 is the broadcast address of 10.0.0.0/24, not a node's address")},
		{"10.0.0.0/24", "10.0.0.102/24", current("10.0.0.0 is the network address of 10.0.0.0/24, not a node's address")},
		{"10.0.0.255/24", "10.0.0.102/24", current("10.0.0.255 is the broadcast address of 10.0.0.0/24, not a node's address")},
		{"10.0.0.255/23", "10.0.1.0/23", nil},
		{"10.0.0.1/30", "10.0.0.2/30", nil},
		{"10.0.0.1/30", "10.0.0.3/30", peer("10.0.0.3 is the broadcast address of 10.0.0.0/30, not a node's address")},
		{"10.0.0.0/31", "10.0.0.1/31", nil},
		{"10.0.0.1/31", "10.0.0.0/31", nil},
		{"10.0.0.1/31", "10.0.0.2/31", peer("10.0.0.2 is not in 10.0.0.0/31, the subnet of Current IP")},
		{"fd00::1/64", "fd00::/64", peer("fd00:: is the subnet-router anycast address of fd00::/64, not a node's address")},
		{"fd00::1/64", "fd00::ffff:ffff:ffff:ffff/64", nil},
		{"fd00::1/126", "fd00::/126", peer("fd00:: is the subnet-router anycast address of fd00::/126, not a node's address")},
		{"fd00::1/126", "fd00::3/126", nil},
		{"fd00::/127", "fd00::1/127", nil},
		{"fd00::1/64", "fd00:0:0:1::2/64", peer("fd00:0:0:1::2 is not in fd00::/64, the subnet of Current IP")},

		// Link-local, mapped and the ends of the space.
		{"fe80::1/64", "fe80::2/64", nil},
		{"fd00::1/64", "fe80::2/64", peer("fe80::2 is not in fd00::/64, the subnet of Current IP")},
		{"169.254.1.1/16", "169.254.9.9/16", nil},
		{"::ffff:10.0.0.101/120", "10.0.0.102/24", nil},
		{"10.0.0.101/24", "::ffff:10.0.0.102", nil},
		{"::ffff:10.0.0.101/64", "10.0.0.102/24", current("the prefix length of 10.0.0.101 cannot be 0")},
		{"239.255.255.255/24", "10.0.0.1/24", current("239.255.255.255 is a multicast address, not a node's")},
		{"223.255.255.1/24", "223.255.255.254/24", nil},

		// No subnet.
		{"10.0.0.101/32", "10.0.0.102/32", warn("a /32 has no subnet; whether 10.0.0.102 is on the link depends on the route")},
		{"fd00::1/128", "fd00::2", warn("a /128 has no subnet; whether fd00::2 is on the link depends on the route")},
		{"10.0.0.101/24", "10.0.0.102/32", peerWarn("a /32 has no subnet; whether the peer can answer 10.0.0.101 depends on its route")},
		{"10.0.0.101/32", "10.0.1.102/24", []PairProblem{
			{Warning: true, Message: "a /32 has no subnet; whether 10.0.1.102 is on the link depends on the route"},
			{Peer: true, Message: "10.0.1.0/24 does not contain Current IP 10.0.0.101, so the peer could not answer"}}},

		// Different lengths.
		{"10.0.0.101/24", "10.0.0.102/16", peerWarn("the peer has prefix length 16, this node 24; both should have the same")},
		{"10.0.0.101/24", "10.0.0.200/25", peer("10.0.0.128/25 does not contain Current IP 10.0.0.101, so the peer could not answer")},
		{"10.9.0.127/24", "10.9.0.5/25", peer("in the peer's 10.9.0.0/25, Current IP 10.9.0.127 is the broadcast address")},
		{"10.9.0.128/24", "10.9.0.200/25", peer("in the peer's 10.9.0.128/25, Current IP 10.9.0.128 is the network address")},
		{"10.9.0.5/24", "10.9.0.127/25", peer("10.9.0.127 is the broadcast address of 10.9.0.0/25, not a node's address")},
		{"10.0.0.101/16", "10.0.1.102/24", peer("10.0.1.0/24 does not contain Current IP 10.0.0.101, so the peer could not answer")},
		{"fd00::1/64", "fd00::2/48", peerWarn("the peer has prefix length 48, this node 64; both should have the same")},
		{"fd00::1/64", "fd00:0:0:0:1::2/80", peer("fd00::1:0:0:0/80 does not contain Current IP fd00::1, so the peer could not answer")},
	} {
		got := SameSubnet(prefix(tt.current), prefix(tt.peer))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("SameSubnet(%q, %q) (-want +got):\n%s", tt.current, tt.peer, diff)
		}
	}
}

func TestOtherEnd(t *testing.T) {
	for _, tt := range []struct{ prefix, want string }{
		{"10.0.0.1/30", "10.0.0.2"},
		{"10.0.0.2/30", "10.0.0.1"},
		{"10.0.0.0/30", ""},
		{"10.0.0.3/30", ""},
		{"10.0.0.0/31", "10.0.0.1"},
		{"10.0.0.1/31", "10.0.0.0"},
		{"10.0.0.1/29", ""},
		{"10.0.0.1/32", ""},
		{"10.0.0.1", ""},
		{"", ""},
		{"fd00::1/126", "fd00::2"},
		{"fd00::2/126", "fd00::1"},
		{"fd00::3/126", ""},
		{"fd00::/126", ""},
		{"fd00::/127", "fd00::1"},
		{"fd00::1/127", "fd00::"},
		{"fd00::1/128", ""},
		{"::1/127", ""},
		{"239.255.255.255/31", ""},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", ""},
		{"::ffff:10.0.0.1/126", "10.0.0.2"},
	} {
		addr, ok := OtherEnd(prefix(tt.prefix))
		got := ""
		if ok {
			got = addr.String()
		}
		if got != tt.want {
			t.Errorf("OtherEnd(%q) = %q, want %q", tt.prefix, got, tt.want)
		}
		if ok && SameSubnet(prefix(tt.prefix), netip.PrefixFrom(addr, -1)) != nil {
			t.Errorf("OtherEnd(%q) = %v, which SameSubnet refuses", tt.prefix, addr)
		}
	}
}

// FuzzSameSubnet holds the law that a pair is as good seen from one node as
// from the other, and that what is accepted lies in one subnet.
func FuzzSameSubnet(f *testing.F) {
	for _, s := range []string{"10.0.0.101", "10.0.0.255", "0.0.0.0", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "ffff::ffff"} {
		a := netip.MustParseAddr(s)
		f.Add(a.AsSlice(), a.Next().AsSlice(), 24, 24)
		f.Add(a.AsSlice(), a.AsSlice(), 32, 0)
		f.Add(a.AsSlice(), a.Prev().AsSlice(), 31, 25)
		f.Add(a.AsSlice(), []byte{10, 0, 0, 102}, -1, 128)
	}
	f.Fuzz(func(t *testing.T, one, two []byte, bitsOne, bitsTwo int) {
		a, _ := netip.AddrFromSlice(one)
		b, _ := netip.AddrFromSlice(two)
		p, q := netip.PrefixFrom(a, bitsOne), netip.PrefixFrom(b, bitsTwo)
		there, back := SameSubnet(p, q), SameSubnet(q, p)
		OtherEnd(p)
		for _, problem := range append(there, back...) {
			if problem.Message == "" {
				t.Fatalf("a problem of %v and %v has no message", p, q)
			}
		}
		if !p.IsValid() || !q.IsValid() {
			return // a length that is not known is this node's to give, not the peer's
		}
		if fatal(there) != fatal(back) {
			t.Fatalf("%v and %v: %v, and the other way %v", p, q, there, back)
		}
		if len(there) == 0 && !unmapPrefix(p).Masked().Contains(b.Unmap()) {
			t.Fatalf("%v accepted outside %v", q, p)
		}
	})
}

func fatal(problems []PairProblem) bool {
	for _, p := range problems {
		if !p.Warning {
			return true
		}
	}
	return false
}
