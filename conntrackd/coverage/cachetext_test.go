package coverage

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseText(t *testing.T) {
	a := netip.MustParseAddr
	for _, test := range []struct {
		line string
		want Entry
	}{
		{"tcp      6 ESTABLISHED src=10.1.0.2 dst=10.2.0.2 sport=40001 dport=80 src=10.2.0.2 dst=203.0.113.1 sport=80 dport=50001 [ASSURED] mark=7 [active since 1s]",
			Entry{Protocol: 6, State: 3, HasState: true, Seen: true, Mark: 7,
				Original: Tuple{Source: a("10.1.0.2"), Destination: a("10.2.0.2"), SourcePort: 40001, DestinationPort: 80},
				Reply:    Tuple{Source: a("10.2.0.2"), Destination: a("203.0.113.1"), SourcePort: 80, DestinationPort: 50001}}},
		{"icmpv6   58 src=2001:db8::1 dst=2001:db8::2 type=128 code=0 id=77 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 type=129 code=0 id=77 mark=0 [active since 1s]",
			Entry{Protocol: 58,
				Original: Tuple{Source: a("2001:db8::1"), Destination: a("2001:db8::2"), SourcePort: 77, DestinationPort: 128 << 8},
				Reply:    Tuple{Source: a("2001:db8::2"), Destination: a("2001:db8::1"), SourcePort: 77, DestinationPort: 129 << 8}}},
		{"gre      47 src=1.2.3.4 dst=5.6.7.8 srckey=0x11 dstkey=0x22 [UNREPLIED] src=5.6.7.8 dst=1.2.3.4 srckey=0x22 dstkey=0x11 mark=0 [active since 1s]",
			Entry{Protocol: 47,
				Original: Tuple{Source: a("1.2.3.4"), Destination: a("5.6.7.8"), SourcePort: 0x11, DestinationPort: 0x22},
				Reply:    Tuple{Source: a("5.6.7.8"), Destination: a("1.2.3.4"), SourcePort: 0x22, DestinationPort: 0x11}}},
		{"unknown  50 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4 mark=0 zone=5 secctx=null [active since 1s]",
			Entry{Protocol: 50, Seen: true,
				Original: Tuple{Source: a("1.2.3.4"), Destination: a("5.6.7.8"), Zone: 5},
				Reply:    Tuple{Source: a("5.6.7.8"), Destination: a("1.2.3.4"), Zone: 5}}},
		{"udp      17 src=1.2.3.4 dst=5.6.7.8 sport=1 dport=2 zone-orig=6 [UNREPLIED] src=5.6.7.8 dst=1.2.3.4 sport=2 dport=1 mark=0",
			Entry{Protocol: 17,
				Original: Tuple{Source: a("1.2.3.4"), Destination: a("5.6.7.8"), SourcePort: 1, DestinationPort: 2, Zone: 6},
				Reply:    Tuple{Source: a("5.6.7.8"), Destination: a("1.2.3.4"), SourcePort: 2, DestinationPort: 1}}},
		{"ipv4     2 tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=10.2.0.2 sport=40001 dport=80 packets=2 bytes=120 src=10.2.0.2 dst=10.1.0.2 sport=80 dport=40001 packets=1 bytes=60 [ASSURED] mark=0 zone=0 use=2",
			Entry{Protocol: 6, State: 3, HasState: true, Seen: true, Timeout: 431999,
				Original: Tuple{Source: a("10.1.0.2"), Destination: a("10.2.0.2"), SourcePort: 40001, DestinationPort: 80},
				Reply:    Tuple{Source: a("10.2.0.2"), Destination: a("10.1.0.2"), SourcePort: 80, DestinationPort: 40001}}},
		{"ipv6     10 udp      17 29 src=2001:db8::1 dst=2001:db8::2 sport=1 dport=2 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 sport=2 dport=1 mark=0 use=1",
			Entry{Protocol: 17, Timeout: 29,
				Original: Tuple{Source: a("2001:db8::1"), Destination: a("2001:db8::2"), SourcePort: 1, DestinationPort: 2},
				Reply:    Tuple{Source: a("2001:db8::2"), Destination: a("2001:db8::1"), SourcePort: 2, DestinationPort: 1}}},
		{"unknown  2 600 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4 mark=0 use=1",
			Entry{Protocol: 2, Seen: true, Timeout: 600,
				Original: Tuple{Source: a("1.2.3.4"), Destination: a("5.6.7.8")},
				Reply:    Tuple{Source: a("5.6.7.8"), Destination: a("1.2.3.4")}}},
	} {
		var got Entry
		if !got.parseText([]byte(test.line)) {
			t.Errorf("not understood: %s", test.line)
		}
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s\n%s", test.line, diff)
		}
	}
	for _, line := range []string{
		"", "tcp", "tcp 6", "tcp 256 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4",
		"udp 17 src=1.2.3.4 dst=5.6.7.8 sport=1 dport=2",
		"udp 17 src=1.2.3.4 dst=5.6.7.8 sport=1 dport=65536 src=5.6.7.8 dst=1.2.3.4 sport=2 dport=1",
		"udp 17 src=1.2.3.4 dst=5.6.7.8 sport=1 dport= src=5.6.7.8 dst=1.2.3.4 sport=2 dport=1",
		"udp 17 src=1.2.3.4 dst=::1 src=5.6.7.8 dst=1.2.3.4",
		"udp 17 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4 src=1.2.3.4 dst=5.6.7.8",
		"tcp 17 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4", "frob 6 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4",
		"udp 2 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4", "ipv4 2 udp 6 9 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4",
		"ipv6 10 udp 17 9 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4", "ipv4 10 udp 17 9 src=1.2.3.4 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4",
		"udp 17 src=1.2.3 dst=5.6.7.8 src=5.6.7.8 dst=1.2.3.4",
	} {
		if e := (Entry{}); e.parseText([]byte(line)) {
			t.Errorf("understood: %q as %v", line, e.String())
		}
	}
}

// A daemon whose clock was set back says less than nothing of how long it has had an entry,
// which it has all the same, and since long.
func TestParsePeersAge(t *testing.T) {
	for since, want := range map[string]time.Duration{"0s": 0, "12s": 12 * time.Second, "-3563s": longCached, "--1s": -1, "-s": -1, "s": -1, "12": -1} {
		line := "tcp      6 ESTABLISHED src=192.0.2.7 dst=198.51.100.9 sport=1007 dport=80 [ASSURED] mark=0 [active since " + since + "]"
		var e Entry
		if age, ok := e.ParsePeers([]byte(line)); ok != (want >= 0) || ok && age != want {
			t.Errorf("%s: %v, %v, want %v", since, age, ok, want)
		}
	}
}

// Whatever a line says, what is taken for an entry is a whole one and safe to show.
func FuzzParseText(f *testing.F) {
	f.Add("tcp 6 ESTABLISHED src=10.1.0.2 dst=10.2.0.2 sport=1 dport=80 src=10.2.0.2 dst=10.1.0.2 sport=80 dport=1 mark=7")
	f.Add("icmp 1 src=1.2.3.4 dst=5.6.7.8 type=8 code=0 id=77 src=5.6.7.8 dst=1.2.3.4 type=0 code=0 id=77 zone=5")
	f.Add("udp 17 src= dst= = sport==1\x1b[2J")
	f.Fuzz(func(t *testing.T, line string) {
		var e Entry
		if !e.parseText([]byte(line)) {
			return
		}
		if said := e.String(); strings.ContainsFunc(said, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q says %q", line, said)
		}
		if same := e; !e.valid() || e.key(seed) != same.key(seed) {
			t.Errorf("%q is no whole entry: %+v", line, e)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x34\x00\x01\x80\x14\x00\x01\x80\x08\x00\x01\x00\x01\x02\x03\x04\x08\x00\x02\x00\x05\x06\x07\x08"))
	f.Fuzz(func(t *testing.T, message []byte) {
		var e Entry
		if e.parse(message) {
			_, _ = e.String(), e.key(seed)
		}
	})
}
